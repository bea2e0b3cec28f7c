import { goJson } from './go-json.ts';
import type { Artifact, PayloadFile, PayloadHeader } from '@tandem/artifact';

export type SignatureText =
  | 'no signature'
  | 'signed but no key for verification provided; please use `-k` option for providing verification key'
  | 'signed; verification using provided key failed'
  | 'signed and verified correctly';

/** The text of `read`, word for word that of mender-artifact 4.x (format contract 9.4). */
export function describeArtifact(
  artifact: Artifact,
  signature: SignatureText,
  files: readonly PayloadFile[],
  timeZone: string | undefined,
): string {
  const { artifactName, artifactGroup, depends } = artifact.headerInfo;
  const lines = [
    'Mender Artifact:',
    `  Name: ${artifactName}`,
    '  Format: mender',
    `  Version: ${artifact.version}`,
    `  Signature: ${signature}`,
    `  Compatible types: ${list(depends.deviceTypes)}`,
    ...(artifact.version === 3
      ? [
          `  Provides group: ${artifactGroup ?? ''}`,
          `  Depends on one of artifact(s): ${list(depends.artifactNames)}`,
          `  Depends on one of group(s): ${list(depends.artifactGroups)}`,
        ]
      : []),
    ...(artifact.scripts.length === 0
      ? ['  State scripts: []']
      : ['  State scripts:', ...artifact.scripts.map(({ name }) => `    - ${name}`)]),
    '',
    'Updates:',
    ...artifact.payloads.flatMap((payload, index) =>
      payloadLines(
        payload,
        files.filter(({ payloadIndex }) => payloadIndex === index),
        timeZone,
      ),
    ),
    '',
  ];
  return `${lines.join('\n')}`;
}

function payloadLines(
  payload: PayloadHeader,
  files: readonly PayloadFile[],
  timeZone: string | undefined,
): readonly string[] {
  const depends = Object.entries(payload.depends ?? {}).map(([key, values]): [string, string] => [
    key,
    values.length === 1 ? (values[0] ?? '') : `[${values.join(' ')}]`,
  ]);
  return [
    `  - Type: ${payload.type ?? 'Empty type'}`,
    ...mapLines('Provides', Object.entries(payload.provides ?? {})),
    ...mapLines('Depends', depends),
    `    Clears Provides: ${list(payload.clearsProvides)}`,
    ...metaDataLines(payload.metaData),
    ...(files.length === 0
      ? ['    Files: []']
      : ['    Files:', ...files.flatMap((file) => fileLines(file, timeZone))]),
  ];
}

function fileLines(file: PayloadFile, timeZone: string | undefined): readonly string[] {
  return [
    `      - checksum: ${file.sha256}`,
    `        modified: ${timeText(file.modifiedAt, timeZone)}`,
    `        name: ${file.name}`,
    `        size: ${file.sizeBytes}`,
  ];
}

function mapLines(title: string, entries: readonly (readonly [string, string])[]): readonly string[] {
  if (entries.length === 0) return [`    ${title}: {}`];
  const sorted = entries.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return [`    ${title}:`, ...sorted.map(([key, value]) => `      ${key}: ${value}`)];
}

function metaDataLines(metaData: PayloadHeader['metaData']): readonly string[] {
  if (metaData === undefined || Object.keys(metaData).length === 0) return ['    Metadata: {}'];
  const text = goJson(metaData, 2);
  return ['    Metadata:', ...text.split('\n').map((line) => `      ${line}`)];
}

function list(values: readonly string[] | undefined): string {
  return `[${(values ?? []).join(', ')}]`;
}

/** As Go prints a time: `2023-11-14 22:13:20 +0000 UTC`, in the local zone. */
function timeText(seconds: number, timeZone: string | undefined): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    ...(timeZone === undefined || timeZone === '' ? {} : { timeZone: timeZone.replace(/^:/, '') }),
    calendar: 'iso8601',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  });
  const date = new Date(seconds * 1000);
  const part = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
  const offset = (part['timeZoneName'] ?? 'GMT').replace('GMT', '').replace(':', '') || '+0000';
  const zone = zoneName(date, timeZone, offset);
  const day = `${part['year']}-${part['month']}-${part['day']}`;
  return `${day} ${part['hour']}:${part['minute']}:${part['second']} ${offset} ${zone}`;
}

function zoneName(date: Date, timeZone: string | undefined, offset: string): string {
  if (offset === '+0000' && (timeZone === undefined || /^:?(UTC|Etc\/UTC|)$/.test(timeZone))) return 'UTC';
  const options = timeZone === undefined || timeZone === '' ? {} : { timeZone: timeZone.replace(/^:/, '') };
  const parts = new Intl.DateTimeFormat('en-GB', { ...options, timeZoneName: 'short' }).formatToParts(date);
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? offset;
  return name.startsWith('GMT') && name !== 'GMT' ? offset.replace(/00$/, '') : name;
}
