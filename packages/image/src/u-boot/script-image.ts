import { crc32 } from 'node:zlib';

/**
 * The text as U-Boot's `source` takes it: an image of the old format (include/image.h), type script. All numbers are big-endian:
 *
 *   offset 0   magic 0x27051956, CRC-32 of these 64 bytes with zeros in its place, time, size of the data,
 *              two addresses (0), CRC-32 of the data
 *         28   bytes: system (5, Linux), processor (2, Arm; not looked at for scripts), type (6, script), compression (0)
 *         32   name, 32 bytes
 *         64   the data: its parts' sizes, ended by 0, then the parts
 */
export function scriptImage(text: string, name: string, sourceDate: number): Uint8Array {
  const script = Buffer.from(text);
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32BE(script.length, 0);
  const data = Buffer.concat([sizes, script]);
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x27051956, 0);
  header.writeUInt32BE(sourceDate, 8);
  header.writeUInt32BE(data.length, 12);
  header.writeUInt32BE(crc32(data), 24);
  header.set([5, 2, 6, 0], 28);
  header.write(name.slice(0, 31), 32, 'latin1');
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, data]);
}
