const units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

/** Bytes of a size as `5`, `500MB` or `1.5gb`, in units of a thousand; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^([0-9]+\.?[0-9]*)([a-z]*)$/i.exec(text) ?? [];
  const name = (unit === '' ? 'B' : unit)?.toUpperCase();
  if (number === undefined || name === undefined || !Object.hasOwn(units, name)) return undefined;
  return Number(number) * units[name as keyof typeof units];
}

/** As `5.1 KB`. */
export function sizeText(bytes: number): string {
  const unit = (['TB', 'GB', 'MB', 'KB'] as const).find((name) => bytes >= units[name]);
  return unit === undefined ? `${bytes} B` : `${(bytes / units[unit]).toFixed(1)} ${unit}`;
}
