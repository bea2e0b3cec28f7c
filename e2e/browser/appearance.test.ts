import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeArtifact } from '@tandem/demo';
import type { Page } from 'playwright-core';
import { assertKeepsNobodyOut } from './accessibility.ts';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { acceptAll, assertNoFaults, deployToAll, enter, uploadArtifact } from './operator.ts';
import { openSite, type BrowserSite } from './site.ts';

/** Every page and dialog with something on it (those of the entrance and of what cannot be undone are looked at where they occur): usable with a screen reader in light and dark, and on a telephone. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;
let made: Made;

/** Pages of what the test has made: where it is known only then. */
interface Made {
  readonly device: string;
  readonly deployment: string;
}

/** Where to go, and what to press there for a dialog. */
interface Place {
  readonly path: string | ((made: Made) => string);
  readonly opens?: (page: Page) => Promise<void>;
}

const press = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click();
const device = (of: Made) => of.device;
const deployment = (of: Made) => of.deployment;

// prettier-ignore
const places: Readonly<Record<string, Place>> = {
  'dashboard':                   { path: '/ui/' },
  'devices':                     { path: '/ui/devices' },
  'devices, none':               { path: '/ui/devices?text=nothing-has-this' },
  'devices, columns':            { path: '/ui/devices', opens: press('Columns') },
  'devices, filter dialog':      { path: '/ui/devices', opens: press('Add a filter') },
  'device':                      { path: device },
  'device, group dialog':        { path: device, opens: press('Put into a group') },
  'device, decommission dialog': { path: device, opens: press('Decommission') },
  'releases':                    { path: '/ui/releases' },
  'releases, upload':            { path: '/ui/releases', opens: press('Upload an artifact') },
  'release':                     { path: '/ui/releases/demo-3' },
  'release, delete dialog':      { path: '/ui/releases/demo-3', opens: press('Delete') },
  'deployments':                 { path: '/ui/deployments' },
  'new deployment':              { path: '/ui/deployments/new' },
  'new deployment, list box':    { path: '/ui/deployments/new', opens: press(/Release/) },
  'new deployment, plan':        { path: '/ui/deployments/new?release=demo-3', opens: planForAll },
  'deployment':                  { path: deployment },
  'deployment, log':             { path: deployment, opens: log },
  'connect':                     { path: '/ui/connect' },
  'users':                       { path: '/ui/users' },
  'users, add dialog':           { path: '/ui/users', opens: press('Add a user') },
  'settings':                    { path: '/ui/settings' },
  'not found':                   { path: '/ui/nowhere' },
};

async function planForAll(page: Page): Promise<void> {
  await page.getByRole('button', { name: /Devices$/ }).click();
  await page.getByRole('option', { name: 'All accepted devices' }).click();
  await page.getByRole('list', { name: 'Outcomes' }).waitFor();
}

async function log(page: Page): Promise<void> {
  // On a telephone the column is to the right of what one sees.
  await page
    .getByRole('grid')
    .first()
    .evaluate((grid) => grid.scrollBy(2000, 0));
  await press(/^Log/)(page);
}

before(async () => {
  site = await openSite({ versions: [1, 3] });
  browser = await openBrowser(site.server);
  person = await browser.person();
  const { page } = person;
  await enter(person, site.credentials);
  const { name } = await site.connectDevice('one');
  await acceptAll(page, [name]);
  await uploadArtifact(page, await makeArtifact(site.workshop, 3));
  await deployToAll(page, 'demo-3', 'to look at');
  const ofDeployment = new URL(page.url()).pathname;
  await page.getByRole('img', { name: '1 failure' }).waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: /^Log/ }).first().waitFor();
  await page.getByRole('grid').getByRole('link').first().click();
  await page.getByRole('list', { name: 'Steps' }).waitFor();
  made = { device: new URL(page.url()).pathname, deployment: ofDeployment };
});
after(async () => {
  await browser.close();
  await site.close();
});

async function open(page: Page, { path, opens }: Place): Promise<void> {
  await page.goto(typeof path === 'string' ? path : path(made));
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByText('Asking the server', { exact: false }).waitFor({ state: 'detached' });
  await opens?.(page);
}

describe('no page or dialog keeps anybody out:', () => {
  for (const [name, place] of Object.entries(places)) {
    test(name, async () => {
      await open(person.page, place);
      await assertKeepsNobodyOut(person.page);
    });
  }
});

test('a choice of the theme outlasts a reload', async () => {
  const { page } = person;
  /** Of the page's background, from 0 to 255. */
  const redness = async () =>
    Number(/\d+/.exec(await page.evaluate<string>('getComputedStyle(document.body).backgroundColor'))?.[0]);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/ui/settings');
  const light = await redness();
  await page.getByRole('button', { name: /Theme$/ }).click();
  await page.getByRole('option', { name: 'Dark' }).click();
  await page.reload();
  await page.getByRole('heading', { name: 'Settings' }).waitFor();
  assert.ok((await redness()) < 64 && light > 192, 'dark on a light system');
  await page.getByRole('button', { name: /Theme$/ }).click();
  await page.getByRole('option', { name: 'As the system' }).click();
});

describe('on a telephone it is no wider than the screen:', () => {
  const screen = { width: 390, height: 844 };
  before(() => person.page.setViewportSize(screen));
  for (const [name, place] of Object.entries(places)) {
    test(name, async () => {
      await open(person.page, place);
      const width = await person.page.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(width <= screen.width, `${width} px`);
    });
  }
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
