import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeArtifact } from '@tandem/demo';
import type { Page } from 'playwright-core';
import { openBrowser } from './browser.ts';
import { acceptAll, choose, deployToAll, enter, goTo, uploadArtifact } from './operator.ts';
import { openSite } from './site.ts';

/** Takes docs/screenshots anew: a fleet of four with its good and its bad day. `node e2e/browser/take-screenshots.ts` */

const directory = join(import.meta.dirname, '..', '..', 'docs', 'screenshots');
const limitBytes = 200 * 1024;

await mkdir(directory, { recursive: true });
const site = await openSite({ versions: [1, 2, 3] });
const browser = await openBrowser(site.server);
try {
  const person = await browser.person({ viewport: { width: 1280, height: 800 } });
  const { page } = person;
  await enter(person, site.credentials);
  const devices = await Promise.all(['1', '2', '3', '4'].map((name) => site.connectDevice(name)));
  await acceptAll(
    page,
    devices.map(({ name }) => name),
  );
  await page.getByRole('radio', { name: 'Accepted' }).click();
  await page.getByRole('gridcell', { name: 'demo-1' }).nth(3).waitFor();
  await take(page, 'devices');

  await uploadArtifact(page, await makeArtifact(site.workshop, 2));
  await page.goto('/ui/deployments/new?release=demo-2');
  await choose(page, /Devices$/, 'All accepted devices');
  await page.getByLabel('Name', { exact: true }).fill('Summer release to the whole fleet');
  await page.getByText('will install it').first().waitFor();
  await take(page, 'plan');
  await page.getByRole('button', { name: 'Deploy' }).click();
  await page.getByRole('img', { name: '4 success' }).waitFor({ timeout: 90_000 });

  await uploadArtifact(page, await makeArtifact(site.workshop, 3));
  await deployToAll(page, 'demo-3', 'A forgotten setting');
  await page.getByRole('img', { name: '4 failure' }).waitFor({ timeout: 90_000 });
  await page.getByRole('button', { name: 'Log of one' }).first().waitFor();
  await take(page, 'failure');
  await page.getByRole('grid').getByRole('link').first().click();
  await page.getByRole('list', { name: 'Steps' }).first().waitFor();
  await take(page, 'device');

  await page.goto('/ui/releases/demo-3');
  await page
    .getByLabel('Notes')
    .fill('Listens on the new port. Withdrawn: the port is missing in its configuration.');
  await page.getByLabel('Tags').fill('withdrawn');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Save', disabled: true }).waitFor();
  await take(page, 'release');

  const gates = await Promise.all(
    devices.slice(0, 2).map((device) => device.closeGate('ArtifactInstall_Enter')),
  );
  await uploadArtifact(
    page,
    await makeArtifact(site.workshop, 2, {
      name: 'demo-2.1',
      scripts: site.gateScripts,
      output: join(site.directory, 'demo-2.1.mender'),
    }),
  );
  await deployToAll(page, 'demo-2.1', 'Autumn release');
  await page.getByRole('img', { name: /2 success, 2 installing/ }).waitFor({ timeout: 90_000 });
  await take(page, 'deployment');
  await goTo(page, 'Connect a device');
  await page.getByRole('button', { name: /^Save/ }).waitFor();
  await take(page, 'connect');
  await goTo(page, 'Dashboard');
  await page.getByRole('link', { name: 'Autumn release' }).waitFor();
  await take(page, 'dashboard');
  await page.emulateMedia({ colorScheme: 'dark' });
  await take(page, 'dashboard-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 844 });
  await take(page, 'dashboard-phone');
  await Promise.all(gates.map((gate) => gate.open()));
} finally {
  await browser.close();
  await site.close();
}

/** Of what one sees without scrolling, when nothing is being asked any more. */
async function take(page: Page, name: string): Promise<void> {
  const path = join(directory, `${name}.png`);
  await page.waitForLoadState('load');
  await page.getByText('Asking the server').first().waitFor({ state: 'detached' });
  await page.mouse.move(0, 0);
  await page.screenshot({ path, animations: 'disabled' });
  const { size } = await stat(path);
  if (size > limitBytes)
    throw new Error(`${path} has ${String(size)} bytes, more than ${String(limitBytes)}`);
}
