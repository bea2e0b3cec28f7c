/**
 * The CRC-32 of zlib and Ethernet. `node:zlib` has one since 20.15 only, and devices may run any Node 20; environments are
 * small, so a table in plain code is quick enough.
 */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffff_ffff) >>> 0;
}

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let entry = index;
  for (let bit = 0; bit < 8; bit++) entry = (entry & 1) === 1 ? (entry >>> 1) ^ 0xedb8_8320 : entry >>> 1;
  return entry;
});
