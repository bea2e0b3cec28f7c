import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createUser, startServer } from '@tandem/demo';
import { openBrowser, type BrowserAtServer, type Person } from './browser.ts';
import { assertNoFaults, enter, goTo } from './operator.ts';
import { openSite, type BrowserSite } from './site.ts';

/** What an operator sees while the server is away, and that nothing is missing when it is back. */

let site: BrowserSite;
let browser: BrowserAtServer;
let person: Person;

before(async () => {
  site = await openSite();
  browser = await openBrowser(site.server);
  person = await browser.person();
  await enter(person, site.credentials);
});
after(async () => {
  await browser.close();
  await site.close();
});

test('a stopped server shows, an action says so in words, and what changed meanwhile is there at once', async () => {
  const { page } = person;
  const streams: (string | undefined)[] = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/changes')) streams.push(request.headers()['last-event-id']);
  });
  await page.reload();
  await goTo(page, 'Users');
  const indicator = page.getByRole('banner').getByRole('status');
  await indicator.filter({ hasText: 'Live' }).waitFor();
  // A change from elsewhere, which only the stream tells of: from here it goes on later.
  await createUser(site.place, 'before@example.com', 'a password of theirs');
  await page.getByRole('row', { name: 'before@example.com' }).waitFor();

  await site.server.stop();
  await indicator.filter({ hasText: 'Delayed' }).waitFor();
  await page.getByLabel('Name of a new token').fill('typed while it was away');
  await page.getByRole('button', { name: 'Make the token' }).click();
  const refusal = page.getByRole('alert').filter({ hasText: 'Making the token failed.' });
  await refusal.getByText('The server did not answer.').waitFor();
  assert.equal(await page.getByLabel('Name of a new token').inputValue(), 'typed while it was away');
  assert.ok(
    await page.getByRole('row', { name: 'before@example.com' }).isVisible(),
    'what was there is still shown',
  );

  await createUser(site.place, 'meanwhile@example.com', 'a password of theirs');
  site.server = await startServer(site.place);
  await indicator.filter({ hasText: 'Live' }).waitFor();
  await page.getByRole('row', { name: 'meanwhile@example.com' }).waitFor();
  assert.ok(streams.at(-1) !== undefined, 'it went on after the last change it had seen');
  await page.getByRole('button', { name: 'Make the token' }).click();
  await page.getByRole('row', { name: 'typed while it was away' }).waitFor();
  await refusal.waitFor({ state: 'detached' });
});

test('what is asked for while the server is away comes by itself when it is back', async () => {
  const { page } = person;
  await goTo(page, 'Deployments');
  await page.getByText('Nothing has been deployed yet.').waitFor();
  await site.server.stop();
  await page.getByLabel('Search by name').fill('spring');
  await page.getByRole('button', { name: 'Search' }).click();
  await page
    .getByRole('alert')
    .getByText(/did not answer/)
    .waitFor();
  site.server = await startServer(site.place);
  await page.getByText('No deployment matches.').waitFor();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  assert.equal(await page.getByLabel('Search by name').inputValue(), 'spring');
});

test('no page asked anything of anybody else, or broke the content security policy', () => {
  assertNoFaults(person);
});
