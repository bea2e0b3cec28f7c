import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeArtifact } from '@tandem/demo';
import type { Locator, Page } from 'playwright-core';
import { assertKeepsNobodyOut } from './accessibility.ts';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { assertNoFaults, choose, enter, goTo, heading, uploadArtifact } from './operator.ts';
import { openSite, type BrowserSite, type SiteDevice } from './site.ts';

/** Deployments to two real devices: one that goes well, one that every device refuses, one that is aborted. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;
let devices: readonly [SiteDevice, SiteDevice];

before(async () => {
  site = await openSite({ versions: [1, 2, 3] });
  browser = await openBrowser(site.server);
  person = await browser.person();
  await enter(person, site.credentials);
  devices = await Promise.all([site.connectDevice('one'), site.connectDevice('two')]);
});
after(async () => {
  await browser.close();
  await site.close();
});

/** Presses Tab until the element has the focus, as somebody without a mouse. */
async function tabTo(page: Page, target: Locator, maxPresses = 60): Promise<void> {
  await target.waitFor();
  for (let press = 0; press < maxPresses; press += 1) {
    if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${String(maxPresses)} presses of Tab did not reach ${String(target)}`);
}

/**
 * Of one device's first deployment: how long after the server had each step the page showed it, in milliseconds. The page itself notes
 * when: this process is busy with devices and a second browser.
 */
async function watchSteps(page: Page, labels: readonly string[]): Promise<Map<string, number>> {
  // Within the page, whose types this program has not.
  await page.evaluate(`{
    const seen = (window.stepsSeen = {});
    const note = () => {
      for (const step of document.querySelectorAll('[aria-label="Steps"] li')) {
        const label = ${JSON.stringify(labels)}.find((each) => step.textContent.includes(each));
        const time = step.querySelector('time');
        if (label !== undefined && time !== null) seen[label] ??= Date.now() - Date.parse(time.dateTime);
      }
    };
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  }`);
  const steps = page.getByRole('list', { name: 'Steps' }).first();
  for (const label of labels)
    await steps.getByRole('listitem').filter({ hasText: label }).first().waitFor({ timeout: 60_000 });
  return new Map(Object.entries(await page.evaluate<Record<string, number>>('window.stepsSeen')));
}

test('with the keyboard alone one accepts all that wait', async () => {
  const { page } = person;
  const places = page.getByRole('navigation', { name: 'Places' });
  await tabTo(page, places.getByRole('link', { name: 'Devices' }));
  await page.keyboard.press('Enter');
  await heading(page, 'Devices').waitFor();
  await tabTo(page, page.getByRole('radio', { name: 'All' }));
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Space');
  const table = page.getByRole('grid', { name: 'Devices' });
  for (const { name } of devices) await table.getByRole('row', { name }).waitFor();
  for (let press = 0; press < 20 && !(await isWithin(table)); press += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Control+a');
  const accept = page
    .getByRole('toolbar', { name: 'With the selected devices' })
    .getByRole('button', { name: 'Accept' });
  await accept.waitFor();
  for (let press = 0; press < 60; press += 1) {
    if (await accept.evaluate((element) => element === element.ownerDocument.activeElement)) break;
    await page.keyboard.press('Shift+Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByText('No device matches these filters.').waitFor();
});

const isWithin = (region: Locator): Promise<boolean> =>
  region.evaluate((element) => element.contains(element.ownerDocument.activeElement));

test('with the keyboard alone one sees what a deployment would do, and why, and begins it', async () => {
  const { page } = person;
  await uploadArtifact(page, await makeArtifact(site.workshop, 2));
  await uploadArtifact(
    page,
    await makeArtifact(site.workshop, 2, {
      name: 'for-others',
      deviceType: 'another-board',
      output: join(site.directory, 'for-others.mender'),
    }),
  );
  await page.goto('/ui/deployments/new');
  await chooseByKeyboard(page, /Release/, 'for-others');
  await chooseByKeyboard(page, /Devices$/, 'All accepted devices');
  const outcomes = page.getByRole('list', { name: 'Outcomes' });
  await outcomes
    .getByRole('listitem')
    .filter({ hasText: /^2\s*cannot: no artifact fits/ })
    .waitFor();
  const plan = page.getByRole('grid', { name: 'Devices of the plan' });
  await plan
    .getByText(/needs device_type another-board, has tandem-demo/)
    .first()
    .waitFor();

  await chooseByKeyboard(page, /Release/, 'demo-2');
  await outcomes
    .getByRole('listitem')
    .filter({ hasText: /^2\s*will install it/ })
    .waitFor();
  await tabTo(page, page.getByRole('button', { name: 'Deploy' }));

  // Another tab of the same person shows one of the devices; each of its steps is to appear there as it happens.
  const tab = await page.context().newPage();
  await tab.goto('/ui/devices');
  await tab
    .getByRole('grid', { name: 'Devices' })
    .getByRole('row', { name: devices[0].name })
    .getByRole('rowheader')
    .click();
  await tab.getByText('Nothing has been deployed to it yet.').waitFor();
  const lateness = watchSteps(tab, ['Downloading', 'Installing', 'Rebooting', 'Success']);
  await page.keyboard.press('Enter');
  await heading(page, 'demo-2 to all devices').waitFor();

  const late = [...(await lateness)].toSorted(([, one], [, other]) => one - other);
  const told = late.map(([step, ms]) => `${step} ${String(ms)} ms`).join(', ');
  assert.equal(late.length, 4, told);
  // Two browsers, two devices and two servers share the cores while the suite runs: one step may have had to wait for them.
  assert.ok((late[2]?.[1] ?? Infinity) < 1000, `after the server had them the page showed ${told}`);
  assert.ok((late[3]?.[1] ?? Infinity) < 3000, `after the server had them the page showed ${told}`);
  await tab.close();
});

/** Opens a list box by its label and types the option's first letters. */
async function chooseByKeyboard(page: Page, label: RegExp, option: string): Promise<void> {
  await tabTo(page, page.getByRole('button', { name: label }));
  await page.keyboard.press('Enter');
  await page.getByRole('option', { name: option, exact: true }).waitFor();
  await page.keyboard.type(option);
  await page.keyboard.press('Enter');
  await page.getByRole('option').first().waitFor({ state: 'detached' });
}

test('the deployment tells of every device until all have ended', async () => {
  const { page } = person;
  const table = page.getByRole('grid', { name: 'Devices of the deployment' });
  await page.getByRole('img', { name: '2 success' }).waitFor({ timeout: 60_000 });
  assert.equal(await table.getByText('Success').count(), 2);
  await page.getByRole('main').getByText('Finished').first().waitFor();
  await goTo(page, 'Devices');
  for (const { name } of devices) {
    await page
      .getByRole('grid', { name: 'Devices' })
      .getByRole('row', { name })
      .getByText('demo-2')
      .waitFor();
  }
});

test('a release the devices refuse is rolled back before one’s eyes, and the log says why', async () => {
  const { page } = person;
  await uploadArtifact(page, await makeArtifact(site.workshop, 3));
  await page.getByRole('row', { name: 'demo-3' }).getByRole('rowheader').click();
  await page.getByRole('link', { name: 'Deploy it' }).click();
  await choose(page, /Devices$/, 'All accepted devices');
  await page.getByLabel('Name', { exact: true }).fill('the bad one');
  await page.getByText('will install it').first().waitFor();
  await page.getByRole('button', { name: 'Deploy' }).click();
  await heading(page, 'the bad one').waitFor();
  await page.getByRole('img', { name: '2 failure' }).waitFor({ timeout: 90_000 });
  await page.getByRole('button', { name: /^Log/ }).first().click();
  const dialog = page.getByRole('dialog', { name: /Log/ });
  await dialog
    .getByText(/LISTEN_PORT is not set/)
    .first()
    .waitFor();
  const download = page.waitForEvent('download');
  await dialog.getByRole('button', { name: 'Save' }).click();
  assert.match((await download).suggestedFilename(), /\.log$/);
  await dialog.getByRole('button', { name: 'Close' }).click();
});

test('the failed are tried again with a plan of just them, and an abort asks first', async () => {
  const { page } = person;
  const gates = await Promise.all(devices.map((device) => device.closeGate('ArtifactInstall_Enter')));
  await uploadArtifact(
    page,
    await makeArtifact(site.workshop, 2, {
      name: 'held',
      scripts: site.gateScripts,
      output: join(site.directory, 'held.mender'),
    }),
  );
  await goTo(page, 'Deployments');
  await page.getByRole('row', { name: 'the bad one' }).getByRole('rowheader').click();
  await page.getByRole('button', { name: 'Retry the failed' }).click();
  await heading(page, 'New deployment').waitFor();
  await page
    .getByRole('listitem')
    .filter({ hasText: /^2\s*will install it/ })
    .waitFor();
  await choose(page, /Release/, 'held');
  await page.getByLabel('Name', { exact: true }).fill('held one');
  await page.getByRole('button', { name: 'Deploy' }).click();
  await heading(page, 'held one').waitFor();
  await page.getByRole('img', { name: '2 installing' }).waitFor({ timeout: 60_000 });
  await Promise.all(gates.map((gate) => gate.reached()));

  const dialog = page.getByRole('alertdialog', { name: 'Abort held one?' });
  await page.getByRole('button', { name: 'Abort' }).click();
  assert.match(await dialog.innerText(), /go back to what they ran/);
  await assertKeepsNobodyOut(page);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('img', { name: '2 installing' }).waitFor();
  await page.getByRole('button', { name: 'Abort' }).click();
  await dialog.getByRole('button', { name: 'Abort the deployment' }).click();
  await page.getByRole('img', { name: '2 aborted' }).waitFor();
  await Promise.all(gates.map((gate) => gate.open()));
});

test('deployments are found by name and status in the address', async () => {
  const { page } = person;
  await goTo(page, 'Deployments');
  const table = page.getByRole('grid', { name: 'Deployments' });
  await page.getByLabel('Search by name').fill('bad');
  await page.getByRole('button', { name: 'Search' }).click();
  await table.getByRole('row', { name: 'held one' }).waitFor({ state: 'detached' });
  await table.getByRole('row', { name: 'the bad one' }).waitFor();
  await page.reload();
  await table.getByRole('row', { name: 'the bad one' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('search'), 'bad');
  await choose(page, /Status/, 'In progress');
  await page.getByText('No deployment matches.').waitFor();
  await page.goBack();
  await table.getByRole('row', { name: 'the bad one' }).waitFor();
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
