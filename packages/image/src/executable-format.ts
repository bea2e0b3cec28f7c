import { architectures, type Architecture } from './board-keys.ts';

/** For which processor an ELF program is; undefined for what is no ELF, or one of a processor we do not know. */
export function elfArchitecture(header: Uint8Array): Architecture | undefined {
  const bytes = Buffer.from(header);
  if (bytes.length < 20 || bytes.toString('latin1', 0, 4) !== '\x7fELF' || bytes[5] !== 1) return undefined;
  const machine = bytes.readUInt16LE(18);
  const bits = bytes[4] === 2 ? 64 : 32;
  return names.find(
    (name) => architectures[name].elfMachine === machine && architectures[name].elfBits === bits,
  );
}

/**
 * For which processor a kernel is, as far as its header tells (Documentation/arch: x86/boot, arm64/booting, arm/booting). Kernels inside a
 * compressing EFI program and packed ones tell nothing: undefined.
 */
export function kernelArchitecture(header: Uint8Array): Architecture | undefined {
  const bytes = Buffer.from(header);
  if (bytes.length < 0x240) return undefined;
  if (bytes.toString('latin1', 0x202, 0x206) === 'HdrS')
    return bytes.readUInt16LE(0x236) & 1 ? 'amd64' : 'i386';
  if (bytes.toString('latin1', 56, 60) === 'ARM\x64') return 'arm64';
  if (bytes.toString('latin1', 56, 60) === 'RSC\x05') return 'riscv64';
  if (bytes.readUInt32LE(0x24) === 0x016f2818) return 'armhf';
  return elfArchitecture(bytes);
}

const names = Object.keys(architectures) as Architecture[];
