import assert from 'node:assert/strict';
import { basename } from 'node:path';
import type { Page } from 'playwright-core';
import type { Person } from './browser.ts';
import type { Credentials } from './site.ts';

/** What an operator does again and again. */

/** Fills in the form that stands in place of the page, and waits until it has made way. */
export async function signIn(page: Page, { email, password }: Credentials): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Places' }).waitFor();
}

/** Opens the interface's first page as somebody who is signed in. */
export async function enter({ page }: Person, credentials: Credentials): Promise<void> {
  await page.goto('/ui/');
  await signIn(page, credentials);
}

export const goTo = (page: Page, place: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place, exact: true }).click();

/** Opens a list box by its label and takes the option. */
export async function choose(page: Page, label: string | RegExp, option: string): Promise<void> {
  await page.getByRole('button', { name: label }).click();
  await page.getByRole('option', { name: option, exact: true }).click();
}

export const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name, level: 1 });

export function assertNoFaults({ faults }: Person): void {
  assert.deepEqual(faults, []);
}

/** Uploads by the page's own form; leaves one at the list of releases. */
export async function uploadArtifact(page: Page, path: string): Promise<void> {
  await goTo(page, 'Releases');
  await heading(page, 'Releases').waitFor();
  const choice = page.getByRole('button', { name: 'Choose a file' });
  const opener = page.getByRole('button', { name: 'Upload an artifact' });
  await choice.or(opener).first().waitFor();
  if (!(await choice.isVisible())) await opener.click();
  const chooser = page.waitForEvent('filechooser');
  await choice.click();
  await (await chooser).setFiles(path);
  await page.getByText(`${basename(path)} was checked and stored.`).waitFor();
}

/** Waits for the devices among the pending ones, and accepts all. */
export async function acceptAll(page: Page, names: readonly string[]): Promise<void> {
  await goTo(page, 'Devices');
  await page.getByRole('radio', { name: 'Pending' }).click();
  const table = page.getByRole('grid', { name: 'Devices' });
  for (const name of names) await table.getByRole('row', { name }).waitFor();
  await table.getByRole('columnheader').first().getByRole('checkbox').click({ force: true });
  await page.getByRole('button', { name: 'Accept', exact: true }).click();
  await page.getByText('No device matches these filters.').waitFor();
}

/** Fills in the form, presses the button, and leaves one at the deployment. */
export async function deployToAll(page: Page, release: string, name: string): Promise<void> {
  await page.goto(`/ui/deployments/new?release=${release}`);
  await choose(page, /Devices$/, 'All accepted devices');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('button', { name: 'Deploy' }).click();
  await heading(page, name).waitFor();
}
