import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { assertNoFaults, choose, enter, goTo, heading } from './operator.ts';
import { openSite, type BrowserSite, type SiteDevice } from './site.ts';

/** Three devices from asking to be let in to being forgotten. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;
let devices: readonly SiteDevice[];

before(async () => {
  site = await openSite({ versions: [1] });
  browser = await openBrowser(site.server);
  person = await browser.person();
  await enter(person, site.credentials);
  devices = await Promise.all(['one', 'two', 'three'].map((name) => site.connectDevice(name)));
});
after(async () => {
  await browser.close();
  await site.close();
});

const table = () => person.page.getByRole('grid', { name: 'Devices' });
const rowOf = (device: SiteDevice) => table().getByRole('row', { name: device.name });
const device = (index: number): SiteDevice => {
  const found = devices[index];
  assert.ok(found !== undefined);
  return found;
};
/** Waits until the table has just these devices. */
async function shows(...expected: readonly SiteDevice[]): Promise<void> {
  for (const one of devices) {
    await rowOf(one).waitFor({ state: expected.includes(one) ? 'visible' : 'detached' });
  }
}

test('devices that ask to be let in appear by themselves, and one is accepted after a look at its identity', async () => {
  const { page } = person;
  await goTo(page, 'Devices');
  await page.getByRole('radio', { name: 'Pending' }).click();
  await shows(device(0), device(1), device(2));
  await rowOf(device(0)).getByRole('rowheader').click();
  await heading(page, device(0).name).waitFor();
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByRole('button', { name: 'Accept' }).waitFor({ state: 'detached' });
  await page.getByRole('main').getByText('Accepted').first().waitFor();
  await page.goBack();
  await shows(device(1), device(2));
});

test('all that wait are accepted at once', async () => {
  const { page } = person;
  await table().getByRole('columnheader').first().getByRole('checkbox').click({ force: true });
  const toolbar = page.getByRole('toolbar', { name: 'With the selected devices' });
  await toolbar.getByText('2 devices selected').waitFor();
  await toolbar.getByRole('button', { name: 'Accept' }).click();
  await page.getByText('No device matches these filters.').waitFor();
  await page.getByRole('radio', { name: 'Accepted' }).click();
  await shows(...devices);
  // When a device asks again after it was accepted is for the device to say.
  for (const one of devices) await rowOf(one).getByText('demo-1').waitFor({ timeout: 20_000 });
});

test('a device is put into a group, and found by it', async () => {
  const { page } = person;
  await rowOf(device(0)).getByRole('checkbox').click({ force: true });
  await page.getByRole('button', { name: 'Put into a group' }).click();
  const dialog = page.getByRole('dialog', { name: 'Put into a group' });
  await dialog.getByLabel('Group').fill('canaries');
  await dialog.getByRole('button', { name: 'Put into the group' }).click();
  await dialog.waitFor({ state: 'detached' });
  await rowOf(device(0)).getByText('canaries').waitFor();
});

test('what is searched for is in the address: a reload keeps it, and back takes it away', async () => {
  const { page } = person;
  await page.getByLabel('Search all attributes').fill('canar');
  await page.getByRole('button', { name: 'Search' }).click();
  await shows(device(0));
  await page.reload();
  await shows(device(0));
  assert.equal(await page.getByLabel('Search all attributes').inputValue(), 'canar');
  await page.goBack();
  await shows(...devices);
  assert.equal(await page.getByLabel('Search all attributes').inputValue(), '');
});

test('a filter over any attribute is in the address, too, and is taken away by its cross', async () => {
  const { page } = person;
  await page.getByRole('button', { name: 'Add a filter' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a filter' });
  await choose(page, /^Choose Attribute|Attribute/, 'identity/mac');
  await choose(page, /Condition/, 'is not');
  await dialog.getByLabel('Value').fill(device(2).name);
  await dialog.getByRole('button', { name: 'Add the filter' }).click();
  await shows(device(0), device(1));
  await page.reload();
  await shows(device(0), device(1));
  await page.getByRole('button', { name: `Remove the filter mac is not ${device(2).name}` }).click();
  await shows(...devices);
});

test('columns are chosen, and the export has them with every device that matches', async () => {
  const { page } = person;
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'inventory/listen_port' }).click();
  await page.keyboard.press('Escape');
  await table().getByRole('columnheader', { name: 'listen_port' }).waitFor();
  await page.reload();
  await table().getByRole('columnheader', { name: 'listen_port' }).waitFor();

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  const lines = (await readFile(await (await download).path(), 'utf8')).trimEnd().split('\r\n');
  const columns = (lines[0] ?? '').split(',');
  assert.equal(columns[0], 'id');
  const rows = lines.slice(1).map((line) => {
    const values = line.split(',');
    return Object.fromEntries(columns.map((column, index) => [column, values[index]]));
  });
  assert.equal(rows.length, 3);
  for (const row of rows) {
    assert.equal(row['identity/status'], 'accepted');
    assert.equal(row['inventory/artifact_name'], 'demo-1');
    assert.equal(row['inventory/listen_port'], '8080');
  }
  assert.equal(rows.filter((row) => row['system/group'] === 'canaries').length, 1);
});

test('the dashboard says how many devices there are and what they run, and leads to them', async () => {
  const { page } = person;
  await goTo(page, 'Dashboard');
  const main = page.getByRole('main');
  await main.getByRole('link', { name: /^3\s*Accepted$/ }).waitFor();
  await main.getByText('Nothing: no device waits, none is silent, none failed.').waitFor();
  const software = main.getByRole('list', { name: 'Devices by software' });
  await software.getByText('3 (100%)').waitFor();
  await software.getByRole('link', { name: 'demo-1' }).click();
  await shows(...devices);
});

test('a device is given a configuration: what is no setting is named, what was saved goes to the device', async () => {
  const { page } = person;
  await rowOf(device(0)).getByRole('rowheader').click();
  await heading(page, device(0).name).waitFor();
  const wanted = page.getByLabel('Wanted');
  const save = page.getByRole('button', { name: 'Save' });
  await wanted.fill('timezone=Europe/Oslo\nno setting');
  await page.getByText('Line 2 is not name=value.').waitFor();
  assert.ok(await save.isDisabled());
  await wanted.fill('timezone=Europe/Oslo');
  await save.click();
  const deploy = page.getByRole('button', { name: 'Deploy to the device' });
  await deploy.click();
  await page.getByText('It is under way: see its deployments.').waitFor();
  await page.reload();
  await heading(page, device(0).name).waitFor();
  assert.equal(await wanted.inputValue(), 'timezone=Europe/Oslo');
  await goTo(page, 'Devices');
});

test('a device is forgotten only after the server has said what that means', async () => {
  const { page } = person;
  await rowOf(device(2)).getByRole('rowheader').click();
  await heading(page, device(2).name).waitFor();
  const dialog = page.getByRole('alertdialog', { name: `Decommission ${device(2).name}?` });
  await page.getByRole('button', { name: 'Decommission' }).click();
  assert.match(await dialog.innerText(), /forgets its keys, inventory, group/);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Decommission' }).click();
  await dialog.getByRole('button', { name: 'Decommission' }).click();
  await heading(page, 'Devices').waitFor();
  // It is switched on: it asks again, as a stranger.
  await goTo(page, 'Dashboard');
  await page.getByRole('link', { name: '1 device waits to be accepted' }).click();
  await shows(device(2));
});

test('who has no device at hand starts one in one click', async () => {
  const { page } = person;
  await goTo(page, 'Connect a device');
  await page.getByRole('button', { name: 'Start a virtual device' }).click();
  const told = page.getByRole('status').filter({ hasText: 'virtual is on' });
  const mac = /mac=(\S+?)\./.exec(await told.innerText({ timeout: 20_000 }))?.[1];
  assert.ok(mac !== undefined, 'the page says what it will ask with');
  await told.getByRole('link', { name: 'pending devices' }).click();
  await table().getByRole('row', { name: mac }).waitFor({ timeout: 20_000 });
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
