import { rootfsImage, type RootfsImageOptions } from '@tandem/artifact';
import type { CommandLine } from '../command-line.ts';
import { withSnapshot } from '../snapshot.ts';
import type { World } from '../world.ts';
import {
  keyValues,
  namingFrom,
  providesFrom,
  refuseWhitespace,
  requireFlags,
  softwareFrom,
} from '../write-flags.ts';
import { writeOutput } from '../write-output.ts';

/** `write rootfs-image`, of an image file or of a device that runs (`-f ssh://user@host`). */
export async function writeRootfsImage(line: CommandLine, world: World): Promise<void> {
  const image = line.text('file');
  requireFlags({ 'artifact-name': line.text('artifact-name'), file: image });
  const naming = await namingFrom(line, world);
  refuseWhitespace(naming.artifactName);
  const software = softwareFrom(line);
  const component = [
    software.filesystem ?? 'rootfs-image',
    ...(software.name === undefined ? [] : [software.name]),
  ];
  const options: Omit<RootfsImageOptions, 'image'> = {
    artifactName: naming.artifactName,
    software,
    provides: providesFrom(line, [`${component.join('.')}.version`]),
    depends: keyValues(line.list('depends')),
    clearsProvides: line.list('clears-provides'),
    checksum: checksumKey(line),
  };
  if (image?.startsWith('ssh://') !== true) {
    const payload = rootfsImage({ ...options, image: { path: image ?? '' } });
    return writeOutput({ ...naming, payload }, line, world);
  }
  await withSnapshot(image, line, world, async ({ path, provides }) => {
    const payload = rootfsImage({ ...options, image: { path } });
    // What the device says of itself fills in what is not said here; its checksum was of another image.
    const { 'rootfs-image.checksum': _, ...others } = provides;
    await writeOutput(
      { ...naming, payload: { ...payload, provides: { ...others, ...payload.provides } } },
      line,
      world,
    );
  });
}

function checksumKey(line: CommandLine): 'rootfs-image.checksum' | 'rootfs_image_checksum' | 'none' {
  if (line.has('no-checksum-provide')) return 'none';
  return line.has('legacy-rootfs-image-checksum') ? 'rootfs_image_checksum' : 'rootfs-image.checksum';
}
