import { decodeValues, encodeValues, textOf, type BusValue, type BusVariant } from './values.ts';

/** One message of D-Bus ("Message Protocol" of its specification), without what file descriptors need. */
export interface BusMessage {
  readonly type: keyof typeof messageTypes;
  readonly serial: number;
  /** The sender of this call does not wait for a reply. */
  readonly noReplyExpected?: boolean;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
  readonly body?: readonly BusValue[];
}

export const messageTypes = { methodCall: 1, methodReturn: 2, error: 3, signal: 4 } as const;

/** The header's fields: their codes and types. Unknown ones are passed over, as the specification asks. */
const headerFields = {
  path: [1, 'o'],
  interface: [2, 's'],
  member: [3, 's'],
  errorName: [4, 's'],
  replySerial: [5, 'u'],
  destination: [6, 's'],
  sender: [7, 's'],
  signature: [8, 'g'],
} as const satisfies Partial<Record<keyof BusMessage, readonly [number, string]>>;

/** What each type of message must say. */
const required = {
  methodCall: ['path', 'member'],
  methodReturn: ['replySerial'],
  error: ['errorName', 'replySerial'],
  signal: ['path', 'interface', 'member'],
} as const satisfies Record<BusMessage['type'], readonly (keyof typeof headerFields)[]>;

/** Longest message that is read. D-Bus allows 128 MiB; what is said here are tokens, addresses and maps of an update. */
export const longestMessageBytes = 1024 * 1024;

const headerSignature = 'yyyyuua(yv)';
const fixedPartBytes = 16;
const noReplyFlag = 1;

export function encodeMessage(message: BusMessage): Buffer {
  const body = encodeValues(message.signature ?? '', message.body ?? []);
  const fields: BusValue[] = Object.entries(headerFields).flatMap(([name, [code, signature]]) => {
    const value = message[name as keyof typeof headerFields];
    return value === undefined || value === '' ? [] : [[code, { signature, value }]];
  });
  const header = encodeValues(headerSignature, [
    littleEndianMark,
    messageTypes[message.type],
    message.noReplyExpected === true ? noReplyFlag : 0,
    1,
    body.length,
    message.serial,
    fields,
  ]);
  return Buffer.concat([header, Buffer.alloc(-header.length & 7), body]);
}

const littleEndianMark = 'l'.charCodeAt(0);
const bigEndianMark = 'B'.charCodeAt(0);

/** The first whole message of what has come so far with its length, or undefined when there is none yet. Throws on what is none. */
export function decodeMessage(bytes: Uint8Array): { message: BusMessage; length: number } | undefined {
  if (bytes.length < fixedPartBytes) return undefined;
  const little = bytes[0] === littleEndianMark;
  if (!little && bytes[0] !== bigEndianMark) throw new Error('it begins with no byte order');
  if (bytes[3] !== 1) throw new Error(`it is of version ${bytes[3]}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fieldsBytes = view.getUint32(12, little);
  const bodyBytes = view.getUint32(4, little);
  const bodyStart = fixedPartBytes + Math.ceil(fieldsBytes / 8) * 8;
  const length = bodyStart + bodyBytes;
  if (length > longestMessageBytes) throw new Error(`it is longer than ${longestMessageBytes} bytes`);
  if (bytes.length < length) return undefined;
  return { message: parse(bytes.subarray(0, length), bodyStart, little), length };
}

function parse(bytes: Uint8Array, bodyStart: number, little: boolean): BusMessage {
  const header = decodeValues(headerSignature, bytes.subarray(0, bodyStart), little);
  const [, typeCode, flags, , , serial, fieldList] = header;
  const type = (Object.keys(messageTypes) as BusMessage['type'][]).find(
    (name) => messageTypes[name] === typeCode,
  );
  if (type === undefined) throw new Error(`it is of the unknown type ${Number(typeCode)}`);
  const fields: Partial<Record<keyof typeof headerFields, BusValue>> = {};
  for (const [code, variant] of fieldList as readonly [number, BusVariant][]) {
    const found = Object.entries(headerFields).find(([, [known]]) => known === code);
    if (found === undefined) continue;
    const [name, [, signature]] = found;
    if (variant.signature !== signature) throw new Error(`its field ${name} is of type ${variant.signature}`);
    fields[name as keyof typeof headerFields] = variant.value;
  }
  const missing = required[type].find((name) => fields[name] === undefined);
  if (missing !== undefined) throw new Error(`it has no field ${missing}`);
  const signature = textOf(fields.signature ?? '');
  const body = decodeValues(signature, bytes, little, bodyStart);
  return {
    // Each field was checked to be of the type of its row.
    ...(fields as Partial<BusMessage>),
    type,
    serial: Number(serial),
    noReplyExpected: (Number(flags) & noReplyFlag) !== 0,
    signature,
    body,
  };
}
