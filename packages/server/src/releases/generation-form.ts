import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { checker } from '@tandem/api';
import { Type, type Static } from 'typebox';
import { readJson } from '../http/read-json.ts';
import { ServerError } from '../server-error.ts';
import { announcedSize } from './artifact-form.ts';
import { readFileForm } from './file-form.ts';

/** What is to be made of a file (server contract 4.2). */
export interface WantedArtifact {
  readonly name: string;
  readonly description: string;
  readonly deviceTypes: readonly string[];
  readonly arguments: SingleFileArguments;
}

export interface GenerationForm extends WantedArtifact {
  /** As announced; undefined when the sender did not say. */
  readonly sizeBytes: number | undefined;
  /** The raw file as it comes in. */
  readonly content: AsyncIterable<Uint8Array>;
}

const text = Type.String({ minLength: 1, maxLength: 256 });
const softwareText = Type.Optional(Type.String({ maxLength: 256 }));

/** Of the update module `single-file`. */
const SingleFileArguments = Type.Object({
  filename: Type.String({
    // What may name a file in an artifact; the other names are those of the module's own files.
    pattern: '^(?!\\.{1,2}$)(?!(dest_dir|filename|permissions)$)[A-Za-z0-9_.,-]{1,100}$',
  }),
  dest_dir: Type.String({ pattern: '^/[^\\r\\n]{0,1023}$' }),
  software_filesystem: softwareText,
  software_name: softwareText,
  software_version: softwareText,
});
export type SingleFileArguments = Static<typeof SingleFileArguments>;

const check = {
  name: checker(text),
  arguments: checker(SingleFileArguments),
  deviceTypes: checker(Type.Array(text, { minItems: 1, maxItems: 100 })),
};

const parts = {
  fields: ['name', 'description', 'type', 'device_types_compatible', 'args', 'size'],
  file: 'file',
  missing: "missing 'file' section",
} as const;

/** Throws `badRequest`; the caller then drains the body. */
export async function readGenerationForm(
  body: Readable,
  headers: IncomingHttpHeaders,
): Promise<GenerationForm> {
  const { fields, content } = await readFileForm(body, headers, parts);
  const deviceTypes = (fields.get('device_types_compatible') ?? '').split(',').map((type) => type.trim());
  const name = accepted('name', check.name, fields.get('name') ?? '');
  if (fields.get('type') !== 'single-file') throw invalid('type: give "single-file"');
  return {
    name,
    description: fields.get('description') ?? '',
    deviceTypes: accepted('device_types_compatible', check.deviceTypes, deviceTypes),
    arguments: accepted<SingleFileArguments>(
      'args',
      check.arguments,
      // The check says whether it is.
      readJson(Buffer.from(fields.get('args') ?? '{}')) as SingleFileArguments,
    ),
    sizeBytes: announcedSize(fields.get('size')),
    content,
  };
}

function accepted<T>(field: string, { accepts, faults }: ReturnType<typeof checker>, value: T): T {
  if (!accepts(value)) throw invalid(`${field}: ${faults(value).join('; ')}`);
  return value;
}

const invalid = (reason: string) => new ServerError('badRequest', `invalid form: ${reason}`);
