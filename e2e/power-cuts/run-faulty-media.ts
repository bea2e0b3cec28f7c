import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { installers, makeFailingDevice } from './failing-device.ts';
import { tryMedia } from './media-trials.ts';

/**
 * The full run of `faulty-media.test.ts`: each kind of fault at each write and flush of an image, or of the environment, by our client and by Debian's
 * mender-client. Prints a table of Markdown. Needs root.
 *
 *   node e2e/power-cuts/run-faulty-media.ts [--fails image|environment] [--image-kib 4096] [--write-kib 64]
 */
const { values } = parseArgs({
  options: {
    fails: { type: 'string', default: 'image' },
    'image-kib': { type: 'string', default: '4096' },
    'write-kib': { type: 'string', default: '64' },
  },
});
const directory = await mkdtemp(join(tmpdir(), 'faulty-media-'));
const bundle = join(directory, 'tandem-update.mjs');
await buildBundle(bundle);
const device = await makeFailingDevice({
  directory: join(directory, 'device'),
  bundle,
  imageBytes: Number(values['image-kib']) * 1024,
  writeBytes: Number(values['write-kib']) * 1024,
  fails: values.fails === 'environment' ? 'environment' : 'image',
});
try {
  process.stdout.write(
    '| client | fault | tried | detected | harmless | missed |\n|---|---|---|---|---|---|\n',
  );
  for (const [name, installer] of Object.entries(installers)) {
    await tryMedia(device, installer, ({ kind, counts: { detected, harmless, missed } }) => {
      const row = [name, kind, detected + harmless + missed, detected, harmless, missed];
      process.stdout.write(`| ${row.join(' | ')} |\n`);
    });
  }
} finally {
  await device.close();
  await rm(directory, { recursive: true, force: true });
}
