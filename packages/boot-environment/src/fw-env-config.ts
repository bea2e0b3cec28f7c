import { BootEnvironmentError } from './errors.ts';

/** Where one copy of the environment lies. */
export interface EnvironmentCopy {
  /** A plain file or a block device. */
  readonly path: string;
  /** From the beginning; a negative offset counts from the end, as in U-Boot's tools. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/**
 * The copies named by the text of /etc/fw_env.config: a line each of device, offset and size, then possibly the flash's sector
 * size and count, which only raw flash needs. `#` begins a comment; numbers are decimal, 0x hexadecimal or 0 octal as in C.
 * Throws `BootEnvironmentError` `badConfiguration` naming the line.
 */
export function parseFwEnvConfig(text: string): EnvironmentCopy[] {
  return text
    .split(/\r?\n/)
    .map((line, index) => ({ number: index + 1, fields: (line.split('#')[0] ?? '').trim().split(/\s+/) }))
    .filter(({ fields }) => fields[0] !== '')
    .map(({ number, fields: [path, offset, size] }) => {
      const offsetBytes = parseNumber(offset);
      const sizeBytes = parseNumber(size);
      if (path === undefined || offsetBytes === undefined || sizeBytes === undefined || sizeBytes <= 0) {
        throw new BootEnvironmentError(
          'badConfiguration',
          `Cannot understand line ${number} of the boot environment's configuration (fw_env.config): ` +
            'expected a device, an offset and a size, for example "/dev/mmcblk0 0x800000 0x20000".',
        );
      }
      return { path, offsetBytes, sizeBytes };
    });
}

function parseNumber(text: string | undefined): number | undefined {
  const match = /^(-?)(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))$/i.exec(text ?? '');
  if (match === null) return undefined;
  const [, sign, hexadecimal, octal, decimal] = match;
  const magnitude =
    hexadecimal !== undefined
      ? Number.parseInt(hexadecimal, 16)
      : octal !== undefined
        ? Number.parseInt(octal, 8)
        : Number(decimal);
  if (!Number.isSafeInteger(magnitude)) return undefined;
  return sign === '-' ? -magnitude : magnitude;
}
