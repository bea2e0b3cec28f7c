import { createHash, X509Certificate } from 'node:crypto';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Debian's Chromium on the side of a person: every page it opens is watched for what must not happen on any. */
export interface Person {
  readonly page: Page;
  /** What went wrong behind the page: errors on its console, what the content security policy refused, requests to elsewhere. */
  readonly faults: readonly string[];
}

export interface BrowserAtServer {
  /** A person at a browser of their own: nothing is shared with the others. */
  person(options?: BrowserContextOptions): Promise<Person>;
  close(): Promise<void>;
}

const chromiumPath = '/usr/bin/chromium';
/** Every wait of a test has this limit, unless it names another. */
const patienceMs = 20_000;

const launchArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the browser. It trusts the server's own authority by its key, and nothing else that is not certified. */
export async function openBrowser(server: {
  readonly url: string;
  readonly certificate: string;
}): Promise<BrowserAtServer> {
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath,
    args: [...launchArguments, `--ignore-certificate-errors-spki-list=${keyFingerprint(server.certificate)}`],
  });
  return {
    person: async (options = {}) => {
      const context = await browser.newContext({
        baseURL: server.url,
        locale: 'en-GB',
        timezoneId: 'UTC',
        viewport: { width: 1280, height: 800 },
        ...options,
      });
      context.setDefaultTimeout(patienceMs);
      const page = await context.newPage();
      return { page, faults: watch(page, new URL(server.url).origin) };
    },
    close: () => browser.close(),
  };
}

function watch(page: Page, origin: string): readonly string[] {
  const faults: string[] = [];
  page.on('console', (message) => {
    // That the server refuses something is for the page to show; the browser logs it in any case.
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
    faults.push(`${page.url()} logged: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`${page.url()} threw: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url().replace(/^blob:/, '');
    if (!url.startsWith(`${origin}/`)) faults.push(`${page.url()} asked ${request.url()}`);
  });
  return faults;
}

const keyFingerprint = (certificate: string): string =>
  createHash('sha256')
    .update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
