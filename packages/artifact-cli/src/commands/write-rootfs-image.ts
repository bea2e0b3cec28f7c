import { rootfsImage } from '@tandem/artifact';
import type { CommandLine } from '../command-line.ts';
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

/** `write rootfs-image` */
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
  const payload = rootfsImage({
    artifactName: naming.artifactName,
    image: { path: image ?? '' },
    software,
    provides: providesFrom(line, [`${component.join('.')}.version`]),
    depends: keyValues(line.list('depends')),
    clearsProvides: line.list('clears-provides'),
    checksum: checksumKey(line),
  });
  await writeOutput({ ...naming, payload }, line, world);
}

function checksumKey(line: CommandLine): 'rootfs-image.checksum' | 'rootfs_image_checksum' | 'none' {
  if (line.has('no-checksum-provide')) return 'none';
  return line.has('legacy-rootfs-image-checksum') ? 'rootfs_image_checksum' : 'rootfs-image.checksum';
}
