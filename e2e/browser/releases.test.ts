import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeArtifact } from '@tandem/demo';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { assertNoFaults, choose, enter, goTo, heading } from './operator.ts';
import { openSite, type BrowserSite } from './site.ts';

/** Artifacts in, refused, described, out again, and deleted. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;
let artifact: string;

before(async () => {
  site = await openSite({ versions: [2] });
  browser = await openBrowser(site.server);
  person = await browser.person();
  artifact = await makeArtifact(site.workshop, 2);
  await enter(person, site.credentials);
  await goTo(person.page, 'Releases');
});
after(async () => {
  await browser.close();
  await site.close();
});

const releases = () => person.page.getByRole('grid', { name: 'Releases' });

async function chooseFile(path: string): Promise<void> {
  const chooser = person.page.waitForEvent('filechooser');
  await person.page.getByRole('button', { name: 'Choose a file' }).click();
  await (await chooser).setFiles(path);
}

/** As a hand does it: the file is dragged over the page and let go above the middle of the area. */
async function dropFile(path: string): Promise<void> {
  const { page } = person;
  const box = await page.getByText('Drop a .mender file here').boundingBox();
  assert.ok(box !== null);
  const devtools = await page.context().newCDPSession(page);
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await devtools.send('Input.dispatchDragEvent', { type, x, y, data });
  }
  await devtools.detach();
}

/** An artifact as it was made, but for what `spoil` does to its bytes. */
async function spoiled(name: string, spoil: (bytes: Buffer) => Buffer): Promise<string> {
  const path = join(site.directory, name);
  await writeFile(path, spoil(await readFile(artifact)));
  return path;
}

test('an artifact that was cut short is refused in the server’s words, and what was typed stays', async () => {
  const { page } = person;
  const path = await spoiled('cut-short.mender', (bytes) => bytes.subarray(0, bytes.length - 5000));
  await page.getByLabel('Description').fill('the first of the summer');
  await chooseFile(path);
  const refusal = page.getByRole('alert');
  await refusal.getByText('The upload of cut-short.mender failed.').waitFor();
  assert.match(await refusal.innerText(), /trunc|end|short|incomplete/i);
  assert.match(await refusal.innerText(), /Request\s+\S{8,}/);
  assert.equal(await page.getByLabel('Description').inputValue(), 'the first of the summer');
  assert.equal(await releases().count(), 0);
});

test('an artifact that was altered is refused, dropped or chosen', async () => {
  const { page } = person;
  const path = await spoiled('altered.mender', (bytes) => {
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    return bytes;
  });
  await dropFile(path);
  const refusal = page.getByRole('alert');
  await refusal.getByText('The upload of altered.mender failed.').waitFor();
  assert.match(await refusal.innerText(), /checksum|invalid|incorrect/i);
  assert.equal(await page.getByLabel('Description').inputValue(), 'the first of the summer');
});

test('an artifact that is dropped shows how far it has come, and becomes a release', async () => {
  const { page } = person;
  const devtools = await page.context().newCDPSession(page);
  const { size } = await stat(artifact);
  // So slow that one can watch: all of it in about two seconds.
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: size / 2,
  });
  await dropFile(artifact);
  const progress = page.getByRole('progressbar', { name: /Uploading demo-2\.mender/ });
  const seen = new Set<number>();
  await progress.waitFor();
  while ((await progress.count()) > 0) {
    const value = await progress.getAttribute('aria-valuenow', { timeout: 1000 }).catch(() => null);
    if (value !== null) seen.add(Number(value));
  }
  const between = [...seen].filter((value) => value > 0 && value < 100);
  assert.ok(between.length > 2, `it showed ${[...seen].join(', ')} %`);
  await page.getByText('demo-2.mender was checked and stored.').waitFor();
  await devtools.detach();
  await releases().getByRole('row', { name: 'demo-2' }).waitFor();
  assert.equal(await page.getByLabel('Description').inputValue(), '');
});

test('a release shows what is inside: payload, device types, provides, signature', async () => {
  const { page } = person;
  await releases().getByRole('row', { name: 'demo-2' }).getByRole('rowheader').click();
  await heading(page, 'demo-2').waitFor();
  await page.getByRole('heading', { name: 'For tandem-demo' }).waitFor();
  const words = await page.getByRole('main').innerText();
  for (const word of [
    'the first of the summer',
    'Signed',
    'rootfs-image',
    'SHA-256',
    'rootfs-image.version',
  ]) {
    assert.ok(words.includes(word), `the page says ${word}`);
  }
});

test('notes and tags are kept, and the list is filtered by a tag in the address', async () => {
  const { page } = person;
  await page.getByLabel('Notes').fill('Fixes the clock.');
  await page.getByLabel('Tags').fill('stable, summer');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.reload();
  await heading(page, 'demo-2').waitFor();
  assert.equal(await page.getByLabel('Notes').inputValue(), 'Fixes the clock.');
  assert.equal(await page.getByLabel('Tags').inputValue(), 'stable, summer');
  await goTo(page, 'Releases');
  await choose(page, /Tag/, 'stable');
  await releases().getByRole('row', { name: 'demo-2' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('tag'), 'stable');
  await page.reload();
  await releases().getByRole('row', { name: 'demo-2' }).waitFor();
});

test('a second artifact by file chooser joins the list by itself', async () => {
  const { page } = person;
  const path = await makeArtifact(site.workshop, 2, {
    name: 'another',
    output: join(site.directory, 'another.mender'),
  });
  await goTo(page, 'Releases');
  await page.getByRole('button', { name: 'Upload an artifact' }).click();
  await chooseFile(path);
  await releases().getByRole('row', { name: 'another' }).waitFor();
  await page.getByLabel('Search by name').fill('anoth');
  await page.getByRole('button', { name: 'Search' }).click();
  await releases().getByRole('row', { name: 'demo-2' }).waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).searchParams.get('name'), 'anoth');
});

test('what is downloaded is what was uploaded, byte for byte', async () => {
  const { page } = person;
  await releases().getByRole('row', { name: 'another' }).getByRole('rowheader').click();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  const got = await readFile(await (await download).path());
  assert.ok(got.equals(await readFile(join(site.directory, 'another.mender'))));
});

test('a release is deleted only after one has been told what goes', async () => {
  const { page } = person;
  await heading(page, 'another').waitFor();
  const dialog = page.getByRole('alertdialog', { name: 'Delete another?' });
  await page.getByRole('button', { name: 'Delete', exact: true }).first().click();
  assert.match(await dialog.innerText(), /can no longer\s+be deployed/);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).first().click();
  await dialog.getByRole('button', { name: 'Delete the release' }).click();
  await heading(page, 'Releases').waitFor();
  await releases().getByRole('row', { name: 'demo-2' }).waitFor();
  assert.equal(await releases().getByRole('row', { name: 'another' }).count(), 0);
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
