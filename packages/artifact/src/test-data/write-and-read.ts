import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { rootfsImage } from '../default-provides.ts';
import type { CompressionName } from '../artifact.ts';
import { readArtifact } from '../read-artifact.ts';
import { writeArtifactFile } from '../write-artifact.ts';
import { compressors, decompressors } from './sample.ts';

/* Run by memory.long-test.ts: packs an image, reads the artifact and says how much memory that took. */

const [, , image = '', compression = '', directory = ''] = process.argv;
const path = join(directory, `${compression}.mender`);
const payload = rootfsImage({ artifactName: 'big', image: { path: image } });
const description = { artifactName: 'big', depends: { deviceTypes: ['d'] }, payload };
await writeArtifactFile(description, path, { compression: compression as CompressionName, compressors });

let contentBytes = 0;
const artifact = await readArtifact(createReadStream(path, { highWaterMark: 1024 * 1024 }), {
  decompressors,
});
for await (const file of artifact.files())
  for await (const piece of file.content) contentBytes += piece.length;
process.stdout.write(JSON.stringify({ contentBytes, peakMiB: process.resourceUsage().maxRSS / 1024 }));
