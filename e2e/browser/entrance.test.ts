import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertKeepsNobodyOut } from './accessibility.ts';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { assertNoFaults, goTo, heading, signIn } from './operator.ts';
import { consoleOf, openSite, type BrowserSite } from './site.ts';

/** The way in, from a server that nobody has used yet. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;

before(async () => {
  site = await openSite({ hasUser: false });
  browser = await openBrowser(site.server);
  person = await browser.person();
});
after(async () => {
  await browser.close();
  await site.close();
});

test('whoever reads the console of a fresh server becomes its administrator', async () => {
  const { page } = person;
  await page.goto('/');
  await heading(page, 'Set up Tandem').waitFor();
  await page.getByLabel('One-time token').fill('a guess');
  await page.getByLabel('E-mail').fill(site.credentials.email);
  await page.getByLabel('Password').fill(site.credentials.password);
  const submit = page.getByRole('button', { name: 'Make the administrator' });
  await submit.click();
  const refusal = page.getByRole('alert');
  await refusal.getByText('wrong one-time token', { exact: false }).waitFor();
  assert.equal(
    await page.getByLabel('E-mail').inputValue(),
    site.credentials.email,
    'what was typed is there',
  );
  await assertKeepsNobodyOut(page);

  const token = /One-time token[^\n]*\n\s*(\S+)/.exec(await consoleOf(site))?.[1];
  assert.ok(token !== undefined, 'the console shows a token');
  await page.getByLabel('One-time token').fill(token);
  await submit.click();
  await heading(page, 'Dashboard').waitFor();
  await page.getByText('No device has asked to be let in yet.').waitFor();
});

test('a wrong password is refused in words, and the right one leads to the page one asked for', async () => {
  const { page } = person;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.goto('/ui/users');
  await heading(page, 'Sign in').waitFor();
  await assertKeepsNobodyOut(page);
  await page.getByLabel('E-mail').fill(site.credentials.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  const refusal = page.getByRole('alert');
  await refusal.getByText('Signing in failed.').waitFor();
  assert.match(await refusal.innerText(), /Request\s+\S{8,}/, 'it says under which id the server logged it');
  assert.equal(await page.getByLabel('E-mail').inputValue(), site.credentials.email);
  await signIn(page, site.credentials);
  await heading(page, 'Users').waitFor();
});

test('users come and go, and nobody is removed without being asked for', async () => {
  const { page } = person;
  const users = page.getByRole('grid', { name: 'Users' });
  await page.getByRole('button', { name: 'Add a user' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a user' });
  await dialog.getByLabel('E-mail').fill('second@example.com');
  await dialog.getByLabel('Password').fill('a password of theirs');
  await dialog.getByRole('button', { name: 'Add the user' }).click();
  await users.getByRole('row', { name: 'second@example.com' }).waitFor();

  const removal = page.getByRole('alertdialog', { name: 'Remove second@example.com?' });
  await page.getByRole('button', { name: 'Remove second@example.com' }).click();
  assert.match(await removal.innerText(), /can no longer sign in/);
  await assertKeepsNobodyOut(page);
  await removal.getByRole('button', { name: 'Cancel' }).click();
  await users.getByRole('row', { name: 'second@example.com' }).waitFor();
  await page.getByRole('button', { name: 'Remove second@example.com' }).click();
  await removal.getByRole('button', { name: 'Remove the user' }).click();
  await users.getByRole('row', { name: 'second@example.com' }).waitFor({ state: 'detached' });
});

test('a token for programs is shown once, works, and is refused once it is revoked', async () => {
  const { page } = person;
  await page.getByLabel('Name of a new token').fill('build machine');
  await page.getByRole('button', { name: 'Make the token' }).click();
  const token = (await page.getByLabel('The new token', { exact: true }).innerText()).trim();
  const statusWith = () =>
    page.evaluate(
      async (bearer) =>
        (
          await fetch('/api/management/v1/inventory/groups', {
            headers: { authorization: `Bearer ${bearer}` },
          })
        ).status,
      token,
    );
  assert.equal(await statusWith(), 200);
  await page.reload();
  const tokens = page.getByRole('grid', { name: 'Access tokens' });
  await tokens.getByRole('row', { name: 'build machine' }).waitFor();
  assert.ok(!(await page.getByRole('main').innerText()).includes(token), 'it is not shown again');

  await page.getByRole('button', { name: 'Revoke build machine' }).click();
  const revocation = page.getByRole('alertdialog', { name: 'Revoke build machine?' });
  await revocation.waitFor();
  await assertKeepsNobodyOut(page);
  await revocation.getByRole('button', { name: 'Revoke the token' }).click();
  await page.getByText('You have no tokens.').waitFor();
  assert.equal(await statusWith(), 401);
});

test('a session that ends elsewhere asks to sign in again over the page, and what was typed goes on', async () => {
  const { page } = person;
  await page.getByRole('button', { name: 'Add a user' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a user' });
  await dialog.getByLabel('E-mail').fill('third@example.com');
  await dialog.getByLabel('Password').fill('a password of theirs');

  const elsewhere = await browser.person();
  await elsewhere.page.goto('/ui/settings');
  await signIn(elsewhere.page, site.credentials);
  const changed = { ...site.credentials, password: `${site.credentials.password}-changed` };
  await elsewhere.page.getByLabel('Current password').fill(site.credentials.password);
  await elsewhere.page.getByLabel('New password').fill(changed.password);
  await elsewhere.page.getByRole('button', { name: 'Change the password' }).click();
  await heading(elsewhere.page, 'Sign in').waitFor();
  await signIn(elsewhere.page, changed);
  await heading(elsewhere.page, 'Settings').waitFor();

  const again = page.getByRole('alertdialog', { name: 'Sign in again' });
  await again.waitFor();
  await assertKeepsNobodyOut(page);
  await again.getByLabel('Password').fill(changed.password);
  await again.getByRole('button', { name: 'Sign in' }).click();
  await again.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).pathname, '/ui/users');
  assert.equal(await dialog.getByLabel('E-mail').inputValue(), 'third@example.com');
  await dialog.getByRole('button', { name: 'Add the user' }).click();
  await page.getByRole('row', { name: 'third@example.com' }).waitFor();
  assertNoFaults(elsewhere);
});

test('a device is told how to trust this very server, and never to trust just anybody', async () => {
  const { page } = person;
  await goTo(page, 'Connect a device');
  const fingerprint = page.getByLabel('SHA-256 fingerprint of the authority', { exact: true });
  const authority = new X509Certificate(site.server.certificate);
  assert.equal((await fingerprint.innerText()).trim(), authority.fingerprint256);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save tandem-ca.pem' }).click();
  assert.equal(await readFile(await (await download).path(), 'utf8'), site.server.certificate);
  const words = await page.getByRole('main').innerText();
  assert.match(words, /--server-cert \/etc\/mender\/tandem-ca\.pem/);
  assert.ok(words.includes(site.server.url));
  assert.doesNotMatch(words, /skip|insecure|no-check|verify=false|trusted-certs/i);
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
