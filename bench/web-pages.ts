import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium, type Locator, type Page, type Request } from 'playwright-core';
import { artifactForm, packArtifact } from '../packages/server/src/deployments/test-data/test-artifact.ts';
import { runServerCommand } from '../packages/server/src/testing/server-process.ts';
import { machine } from './artifact-measure.ts';
import { makeFleet } from './server-fleet.ts';
import { startTandem } from './server-process.ts';
import { percentile, statusesText } from './server-requests.ts';
import { pollSteadily } from './steady-polls.ts';
import { writeResult } from './write-result.ts';

/**
 * How long a person waits for each page of the web interface on a fleet of 100,000 devices and 1,000 deployments: in Debian's Chromium,
 * from the address until the heading and the rows stand, and again by going there within the interface. Devices poll meanwhile.
 *
 *     node bench/web-pages.ts [--devices 100000] [--rate 100] [--rounds 5] [--fleet DIR] [--write]
 */
const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '100000' },
    rate: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '5' },
    fleet: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const before = machine();
const polling = 2000;
const deployments = { finished: 1000, active: 10 } as const;
const release = 'release-4';
const user = { email: 'bench@example.com', password: 'correct horse battery' };
const devicePolls = '/api/devices/v1/deployments/device/deployments/next';
const reported = 'artifact_name=release-1&device_type=beaglebone';
const management = '/api/management';
const maxRows = 500;
const patienceMs = 8_000;
/** No script for so long: there are no more. The interface asks for them half a second after the page has its answers. */
const quietMs = 1000;
const liveReports = 20;
/** Between two looks, which cost the page time: Playwright's own waiting looks twice a second after the first quarter of one. */
const lookMs = 25;

interface MeasuredPage {
  readonly name: string;
  readonly path: string;
  /** What a person came for; all of it must be seen. */
  readonly shown: (page: Page) => readonly Locator[];
}

const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name, level: 1 });
const row = (page: Page, table: string) => page.getByRole('grid', { name: table }).getByRole('row').nth(1);
const search = (given: Readonly<Record<string, unknown>>) =>
  `?${new URLSearchParams(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ).toString()}`;

function pagesOf(device: string, deployment: string, ofAll: string): readonly MeasuredPage[] {
  const list = (name: string, given: Readonly<Record<string, unknown>>): MeasuredPage => ({
    name: `devices, ${name}`,
    path: `/ui/devices${search(given)}`,
    shown: (page) => [
      heading(page, 'Devices'),
      row(page, 'Devices'),
      page.getByRole('navigation', { name: 'Pages' }),
    ],
  });
  const equals = (attribute: string, value: string) => ({
    scope: 'inventory',
    attribute,
    type: '$eq',
    value,
  });
  return [
    {
      name: 'dashboard',
      path: '/ui/',
      shown: (page) => [
        heading(page, 'Dashboard'),
        page.getByRole('list', { name: 'Devices by software' }).getByRole('listitem').first(),
        page.getByRole('main').getByRole('link', { name: /Accepted/ }),
        page
          .getByText(/^Nothing: no device waits/)
          .or(page.getByText(/not heard of for a day/))
          .first(),
        page.getByRole('link', { name: /^deployment \d+$/ }).nth(5),
      ],
    },
    list('all', { page: 1 }),
    list('one type', { filters: [equals('device_type', 'beaglebone')] }),
    list('two filters', { filters: [equals('device_type', 'beaglebone'), equals('artifact_name', release)] }),
    list('a word', { text: 'device-4242' }),
    list('sorted', { sort: { column: 'inventory/mem_total_kB', order: 'desc' } }),
    list('sorted by status', { sort: { column: 'identity/status', order: 'asc' } }),
    list('last page', { page: Number(values.devices) / 100 }),
    {
      name: 'device',
      path: `/ui/devices/${device}`,
      shown: (page) => [heading(page, /^[\da-f]{12}$/), page.getByText('Debian GNU/Linux 12 (bookworm)')],
    },
    {
      name: 'releases',
      path: '/ui/releases',
      shown: (page) => [heading(page, 'Releases'), row(page, 'Releases')],
    },
    {
      name: 'release',
      path: `/ui/releases/${release}`,
      shown: (page) => [heading(page, release), page.getByText('beaglebone').first()],
    },
    {
      name: 'deployments',
      path: '/ui/deployments',
      shown: (page) => [heading(page, 'Deployments'), row(page, 'Deployments')],
    },
    {
      name: 'deployments, last page',
      path: '/ui/deployments?page=20',
      shown: (page) => [heading(page, 'Deployments'), row(page, 'Deployments')],
    },
    {
      name: 'deployment',
      path: `/ui/deployments/${deployment}`,
      shown: (page) => [heading(page, /^deployment/), row(page, 'Devices of the deployment')],
    },
    {
      name: 'deployment of all devices',
      path: `/ui/deployments/${ofAll}`,
      shown: (page) => [
        heading(page, /^deployment/),
        row(page, 'Devices of the deployment'),
        page.getByRole('navigation', { name: 'Pages' }),
      ],
    },
    {
      name: 'new deployment',
      path: `/ui/deployments/new?release=${release}`,
      shown: (page) => [heading(page, 'New deployment'), page.getByRole('button', { name: /Release/ })],
    },
    {
      name: 'new deployment, plan for a group',
      path: `/ui/deployments/new?release=${release}&group=group-7`,
      shown: (page) => [page.getByText('will install it').first(), row(page, 'Devices of the plan')],
    },
    { name: 'users', path: '/ui/users', shown: (page) => [heading(page, 'Users'), row(page, 'Users')] },
  ];
}

interface Waited {
  readonly seconds: number;
  /** The request that was answered last of all it had asked by then: what to look at first. */
  readonly slowest: string;
}

/** Does it, and waits until all is seen. */
async function waited(page: Page, act: () => Promise<unknown>, shown: readonly Locator[]): Promise<Waited> {
  const requests: Request[] = [];
  const note = (request: Request) => requests.push(request);
  page.on('requestfinished', note);
  const began = performance.now();
  await act();
  const passed = () => performance.now() - began;
  const unseen = [...shown];
  while (unseen[0] !== undefined && passed() < patienceMs) {
    if (await unseen[0].isVisible()) unseen.shift();
    else await page.waitForTimeout(lookMs);
  }
  // What does not come is a result, too: it shows as Infinity.
  const seconds = unseen.length === 0 ? passed() / 1000 : Infinity;
  page.off('requestfinished', note);
  const [slowest] = requests
    .filter((request) => request.url().includes(management))
    .map((request) => ({ path: new URL(request.url()).pathname, ms: request.timing().responseEnd }))
    .sort((a, b) => b.ms - a.ms);
  return {
    seconds,
    slowest:
      slowest === undefined ? '' : `${slowest.path.replace(management, '')} ${slowest.ms.toFixed(0)} ms`,
  };
}

/** Milliseconds from when the server had a report of a device until the device's page showed it, of each report. */
async function howLate(
  page: Page,
  report: (status: string, substate: string) => Promise<void>,
): Promise<number[]> {
  const steps = page.getByRole('list', { name: 'Steps' }).first();
  await steps.waitFor();
  await scriptsHaveCome(page);
  const run = Date.now().toString(36);
  // The page itself notes when, as soon as it is there.
  await page.evaluate(`{
    const late = (window.late = {});
    new MutationObserver(() => {
      for (const step of document.querySelectorAll('[aria-label="Steps"] li')) {
        const [report] = /${run} \\d+/.exec(step.textContent) ?? [];
        if (report !== undefined) late[report] ??= Date.now() - Date.parse(step.querySelector('time').dateTime);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  }`);
  for (let number = 1; number <= liveReports; number += 1) {
    // The same status again would change nothing.
    await report(number % 2 === 0 ? 'downloading' : 'installing', `${run} ${number}`);
    await steps.getByText(`${run} ${number}`, { exact: true }).waitFor();
    // As they come in life: one by one.
    await page.waitForTimeout(quietMs);
  }
  return Object.values(await page.evaluate<Record<string, number>>('window.late'));
}

/** Waits until the scripts of the other pages have come, as they have for somebody who reads a page before the next. */
async function scriptsHaveCome(page: Page): Promise<void> {
  const count = () =>
    page.evaluate<number>(
      `performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js')).length`,
    );
  for (let last = -1, now = await count(); now !== last; now = await count()) {
    last = now;
    await page.waitForTimeout(quietMs);
  }
}

/** The largest list that the server answered the page with must be a page. */
function watchRows(page: Page): () => Promise<number> {
  const counts: Promise<number>[] = [];
  page.on('response', (response) => {
    if (!response.url().includes(management) || response.status() !== 200) return;
    if (response.headers()['content-type']?.includes('json') !== true) return;
    counts.push(
      response.json().then(
        (body: unknown) => (Array.isArray(body) ? body.length : 0),
        // Gone with the page that had asked.
        () => 0,
      ),
    );
  });
  return async () => Math.max(0, ...(await Promise.all(counts)));
}

/**
 * A program that waits where the server wants the processor: a person's browser has a machine of its own, here both share two threads. What
 * the pages take is the longer for it.
 */
function behindTheServer(program: string): string {
  const script = join(scratch, 'browser');
  writeFileSync(script, `#!/bin/sh\nexec nice -n 10 ${program} "$@"\n`, { mode: 0o755 });
  return script;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const scratch = mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const directory = values.fleet ?? join(scratch, 'fleet');
const fleet = await makeFleet(directory, {
  devices: polling,
  ...deployments,
  ofAll: true,
  idle: Number(values.devices) - polling,
});
// Of a fleet that is used again, the user is there already.
await runServerCommand(
  ['user', 'create', '--data-dir', directory, '--email', user.email, '--password-stdin'],
  `${user.password}\n`,
).catch((error: unknown) => {
  if (values.fleet === undefined) throw error;
});
const server = await startTandem(directory);
const browser = await chromium.launch({
  executablePath: behindTheServer('/usr/bin/chromium'),
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
});
try {
  const ask = async (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: FormData | string,
  ) => {
    const answer = await fetch(new URL(`${management}${path}`, server.url), {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    return answer.text();
  };
  const basic = `Basic ${Buffer.from(`${user.email}:${user.password}`).toString('base64')}`;
  const token = await ask('POST', '/v1/useradm/auth/login', { authorization: basic });
  const own = { authorization: `Bearer ${token}` };
  // Where they are there already, they are refused, which is as good.
  for (let number = 1; number <= 60; number += 1) {
    const artifact = await packArtifact({ name: `release-${number}`, deviceTypes: ['beaglebone'] });
    await ask('POST', '/v1/deployments/artifacts', own, artifactForm(artifact));
  }
  const json = { ...own, 'content-type': 'application/json' };
  const firstOf = async (query: string) =>
    (
      JSON.parse(await ask('GET', `/v1/deployments/deployments?${query}&per_page=1`, own)) as {
        id: string;
      }[]
    )[0];
  const newest = () => firstOf('status=inprogress');
  /** One device asks for its update and tells what it does with it. */
  const report = async (status: string, substate: string): Promise<void> => {
    const authorization = `Bearer ${fleet.devices[0]?.token ?? ''}`;
    const asked = await fetch(new URL(`${devicePolls}?${reported}`, server.url), {
      headers: { authorization },
    });
    const { id } = (await asked.json()) as { id: string };
    const path = `/api/devices/v1/deployments/device/deployments/${id}/status`;
    const answer = await fetch(new URL(path, server.url), {
      method: 'PUT',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ status, substate }),
    });
    assert.equal(answer.status, 204, `${path}: ${await answer.text()}`);
  };
  // Under way for every device: one has begun with it, and those that poll are handed it.
  if ((await newest()) === undefined) {
    const wanted = JSON.stringify({ name: 'deployment 0', artifact_name: release, all_devices: true });
    await ask('POST', '/v1/deployments/deployments', json, wanted);
    await report('downloading', 'begun');
  }
  const underWay = await newest();
  const ofAll = await firstOf('status=finished&sort=asc');
  assert.ok(underWay !== undefined && ofAll !== undefined && fleet.devices[0] !== undefined);

  const page = await browser.newPage({ baseURL: server.url.href, viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(patienceMs);
  await page.goto('/ui/');
  await page.getByLabel('E-mail').fill(user.email);
  await page.getByLabel('Password').fill(user.password);
  const largest = watchRows(page);

  const endPolls = pollSteadily({
    url: server.url.href,
    path: `${devicePolls}?${reported}`,
    perSecond: Number(values.rate),
    tokens: fleet.devices.map(({ token: device }) => device),
  });

  const rounds = Array.from({ length: Number(values.rounds) });
  const rows: string[] = [];
  const tell = (name: string, loads: readonly Waited[], visits: readonly Waited[]) => {
    const times = (all: readonly Waited[]) => {
      const seconds = all.map((one) => one.seconds);
      return all.length === 0 ? ' | ' : `${median(seconds).toFixed(2)} | ${Math.max(...seconds).toFixed(2)}`;
    };
    rows.push(`| ${name} | ${times(loads)} | ${times(visits)} | ${visits.at(-1)?.slowest ?? ''} |`);
    process.stdout.write(`${rows.at(-1)}\n`);
  };
  const pages = pagesOf(fleet.devices[0].id, underWay.id, ofAll.id);
  const signIn = page.getByRole('button', { name: 'Sign in' });
  const first = await waited(page, () => signIn.click(), pages[0]?.shown(page) ?? []);
  tell('dashboard, by signing in at a server just started', [], [first]);
  for (const { name, path, shown } of pages) {
    const loads: Waited[] = [];
    const visits: Waited[] = [];
    for (const _ of rounds) {
      loads.push(await waited(page, () => page.goto(path, { waitUntil: 'commit' }), shown(page)));
      // From a page that asks for none of it, and with nothing remembered.
      await page.goto('/ui/connect');
      await heading(page, /Connect/).waitFor();
      await scriptsHaveCome(page);
      const go = () => page.evaluate(`history.pushState({}, '', ${JSON.stringify(path)})`);
      visits.push(await waited(page, go, shown(page)));
    }
    tell(name, loads, visits);
  }
  const plans: Waited[] = [];
  for (const _ of rounds) {
    await page.goto(`/ui/deployments/new?release=${release}`);
    await page.getByRole('button', { name: /Devices$/ }).click();
    const all = page.getByRole('option', { name: 'All accepted devices' });
    const shown = [page.getByText('will install it').first(), row(page, 'Devices of the plan')];
    plans.push(await waited(page, () => all.click(), shown));
  }
  tell('new deployment, plan for all', [], plans);
  await page.goto(`/ui/devices/${fleet.devices[0].id}`);
  const late = await howLate(page, report);
  const polls = await endPolls();
  const at = (percent: number) => percentile(polls, percent).toFixed(1);
  const most = await largest();
  assert.ok(most <= maxRows, `an answer had ${most} rows`);
  writeResult('web-pages', values.write, [
    `Seconds from the address (loaded) or from going there within the interface (visited) until the heading and the rows are seen in Chromium, of ${values.rounds} rounds; ${values.devices} devices, ${deployments.finished + deployments.active} deployments, SQLite; ${values.rate} polls a second meanwhile; all on the same machine, the browser at nice 10. ${before}.`,
    '',
    '| page | loaded, median | max | visited, median | max | slowest request of a visit |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    `${late.length} reports of a device were shown on its page ${median(late).toFixed(0)} ms (median; at most ${Math.max(...late).toFixed(0)} ms) after the server had them.`,
    `Polls: p50 ${at(50)} ms, p99 ${at(99)} ms, max ${at(100)} ms (${statusesText(polls.byStatus)}). The longest list in an answer had ${most} rows. The server's memory was at most ${Math.round(server.peakMiB())} MiB.`,
  ]);
} finally {
  await browser.close();
  await server.stop();
  rmSync(scratch, { recursive: true });
}
