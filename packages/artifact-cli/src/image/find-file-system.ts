import { extFileSystem } from './ext.ts';
import { fatFileSystem } from './fat.ts';
import { readAt, type ImageFileSystem, type ImagePlace } from './file-system.ts';

/** What file system lies there, told by its own marks; undefined for one we cannot edit. */
export async function findFileSystem(place: ImagePlace): Promise<ImageFileSystem | undefined> {
  const head = await readAt(place.file, place.offsetBytes, 2048);
  if (head.length >= 1082 && head.readUInt16LE(1080) === 0xef53) return extFileSystem(place);
  const isFat = [54, 82].some((at) => head.toString('latin1', at, at + 3) === 'FAT');
  return isFat ? fatFileSystem(place) : undefined;
}
