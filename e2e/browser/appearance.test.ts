import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeArtifact } from '@tandem/demo';
import type { Page } from 'playwright-core';
import { findings } from './accessibility.ts';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { acceptAll, assertNoFaults, deployToAll, enter, uploadArtifact } from './operator.ts';
import { openSite, type BrowserSite } from './site.ts';

/** Every page and dialog with something on it (those of the entrance and of what cannot be undone are looked at where they occur): usable with a screen reader in light and dark, and on a telephone. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;
let places: readonly Place[];

/** Where to go, and what to press there for a dialog. */
interface Place {
  readonly name: string;
  readonly path: string;
  readonly opens?: (page: Page) => Promise<void>;
}

before(async () => {
  site = await openSite({ versions: [1, 3] });
  browser = await openBrowser(site.server);
  person = await browser.person();
  const { page } = person;
  await enter(person, site.credentials);
  const device = await site.connectDevice('one');
  await acceptAll(page, [device.name]);
  await uploadArtifact(page, await makeArtifact(site.workshop, 3));
  await deployToAll(page, 'demo-3', 'to look at');
  const deployment = new URL(page.url()).pathname;
  await page.getByRole('img', { name: '1 failure' }).waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: /^Log/ }).first().waitFor();
  await page.getByRole('grid').getByRole('link').first().click();
  await page.getByRole('list', { name: 'Steps' }).waitFor();
  const devicePath = new URL(page.url()).pathname;
  const press = (name: string | RegExp) => (at: Page) => at.getByRole('button', { name }).first().click();
  places = [
    { name: 'dashboard', path: '/ui/' },
    { name: 'devices', path: '/ui/devices' },
    { name: 'devices, none', path: '/ui/devices?text=nothing-has-this' },
    { name: 'devices, columns', path: '/ui/devices', opens: press('Columns') },
    { name: 'devices, filter dialog', path: '/ui/devices', opens: press('Add a filter') },
    { name: 'device', path: devicePath },
    { name: 'device, group dialog', path: devicePath, opens: press('Put into a group') },
    { name: 'device, decommission dialog', path: devicePath, opens: press('Decommission') },
    { name: 'releases', path: '/ui/releases' },
    { name: 'releases, upload', path: '/ui/releases', opens: press('Upload an artifact') },
    { name: 'release', path: '/ui/releases/demo-3' },
    { name: 'release, delete dialog', path: '/ui/releases/demo-3', opens: press('Delete') },
    { name: 'deployments', path: '/ui/deployments' },
    { name: 'new deployment', path: '/ui/deployments/new' },
    { name: 'new deployment, list box', path: '/ui/deployments/new', opens: press(/Release/) },
    {
      name: 'new deployment, plan',
      path: '/ui/deployments/new?release=demo-3',
      opens: async (at) => {
        await at.getByRole('button', { name: /Devices$/ }).click();
        await at.getByRole('option', { name: 'All accepted devices' }).click();
        await at.getByRole('list', { name: 'Outcomes' }).waitFor();
      },
    },
    { name: 'deployment', path: deployment },
    {
      name: 'deployment, log',
      path: deployment,
      opens: async (at) => {
        // On a telephone the column is to the right of what one sees.
        await at
          .getByRole('grid')
          .first()
          .evaluate((grid) => grid.scrollBy(2000, 0));
        await press(/^Log/)(at);
      },
    },
    { name: 'connect', path: '/ui/connect' },
    { name: 'users', path: '/ui/users' },
    { name: 'users, add dialog', path: '/ui/users', opens: press('Add a user') },
    { name: 'settings', path: '/ui/settings' },
    { name: 'not found', path: '/ui/nowhere' },
  ];
});
after(async () => {
  await browser.close();
  await site.close();
});

async function open(page: Page, { path, opens }: Place): Promise<void> {
  await page.goto(path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByText('Asking the server', { exact: false }).waitFor({ state: 'detached' });
  await opens?.(page);
}

test('no page or dialog keeps anybody out', async () => {
  const { page } = person;
  const found: string[] = [];
  for (const place of places) {
    await open(page, place);
    for (const finding of await findings(page)) found.push(`${place.name}: ${finding}`);
  }
  assert.deepEqual(found, []);
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

test('on a telephone no page is wider than the screen', async () => {
  const { page } = person;
  await page.setViewportSize({ width: 390, height: 844 });
  const wide: string[] = [];
  for (const place of places) {
    await open(page, place);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    if (width > 390) wide.push(`${place.name}: ${String(width)} px`);
  }
  assert.deepEqual(wide, []);
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
