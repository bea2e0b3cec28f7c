/**
 * One line of CSV (RFC 4180). A value that a spreadsheet would take for a formula gets an apostrophe before it: devices report
 * what they like.
 */
export const csvLine = (values: readonly string[]): string => `${values.map(field).join(',')}\r\n`;

function field(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(?:\.\d+)?$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
