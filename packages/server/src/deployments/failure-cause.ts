import type { LogMessage } from '@tandem/api';

const errorLevels: ReadonlySet<string> = new Set(['error', 'fatal', 'critical', 'panic']);
const maxLength = 200;

/** What differs from device to device, and would make of one cause as many as there are devices. */
const ownParts = [
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
  /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi,
  /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*(?:Z|[+-]\d\d:?\d\d)?/g,
  /\b[0-9a-f]{16,}\b/gi,
  // Where a file lies; its name stays.
  /(?:\/[^\s/]+)+\//g,
];

/**
 * Why a device failed, as one line of at most 200 characters that is the same for all devices that failed of the same: the first
 * error of its log, since what follows follows from it, without what is of that device alone. Undefined for a log without one.
 */
export function failureCause(messages: readonly LogMessage[]): string | undefined {
  const first = messages.find(({ level }) => errorLevels.has(level.toLowerCase()));
  if (first === undefined) return undefined;
  // Bounded first: the expressions read no more than they must.
  const line = first.message
    .slice(0, 4 * maxLength)
    .replaceAll(/\s+/g, ' ')
    .trim();
  const shared = ownParts.reduce((text, part) => text.replaceAll(part, '…'), line);
  return shared.slice(0, maxLength);
}
