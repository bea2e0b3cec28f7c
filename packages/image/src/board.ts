import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { boardKeys, type BoardKey, type BoardKeyName } from './board-keys.ts';
import { ImageError } from './image-error.ts';

type ValueOf<Key extends BoardKey> = Key['type'] extends readonly (infer Choice)[]
  ? Choice
  : Key['type'] extends 'text'
    ? string
    : Key['type'] extends 'size' | 'count'
      ? number
      : Key['type'] extends 'flag'
        ? boolean
        : Key['type'] extends 'list'
          ? readonly string[]
          : Readonly<Record<string, unknown>>;

/** A board as its file says, every key with a value. Keys are as in the table: `board['boot.sizeMiB']`. */
export type Board = { readonly [Name in BoardKeyName]: ValueOf<(typeof boardKeys)[Name]> };

const mostBoardBytes = 1 << 20;
const mostMiB = 1 << 24;

/**
 * Reads a board file; `overrides` are of the command line, `KEY=VALUE`, and count instead. Hooks are looked for beside the file. Throws
 * `ImageError` (badBoard) naming every fault.
 */
export async function readBoard(path: string, overrides: readonly string[] = []): Promise<Board> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ImageError('badBoard', `cannot read the board file ${path}; give one by --board`, { cause });
  });
  if (text.length > mostBoardBytes) throw new ImageError('badBoard', `${path} is too large for a board file`);
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw new ImageError('badBoard', `the board file ${path} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  const values = { ...flat(given), ...Object.fromEntries(overrides.map(readOverride)) };
  const board = parseBoard(values, path);
  const at = dirname(path);
  const hooks = Object.entries(board)
    .filter(([name]) => name.startsWith('hooks.'))
    .map(([name, list]) => [name, (list as readonly string[]).map((hook) => resolve(at, hook))]);
  return { ...board, ...(Object.fromEntries(hooks) as object) };
}

/** Checks flat keys and fills in what is not given. Throws as `readBoard`. */
export function parseBoard(values: Readonly<Record<string, unknown>>, where: string): Board {
  const faults = Object.keys(values)
    .filter((name) => !Object.hasOwn(boardKeys, name))
    .map((name) => `${name} is no key of a board`);
  const board: Record<string, unknown> = {};
  for (const [name, key] of Object.entries<BoardKey>(boardKeys)) {
    const value = values[name] ?? key.fallback;
    const fault = value === undefined ? 'is needed' : faultOf(value, key);
    if (fault !== undefined) faults.push(`${name} ${fault}`);
    board[name] = value;
  }
  if (faults.length === 0) faults.push(...contradictions(board as Board));
  if (faults.length > 0) throw new ImageError('badBoard', `${where}: ${faults.join('; ')}`);
  return board as Board;
}

function faultOf(value: unknown, { type }: BoardKey): string | undefined {
  if (typeof type === 'object')
    return type.includes(value as string)
      ? undefined
      : `must be one of ${type.join(', ')}, not ${JSON.stringify(value)}`;
  switch (type) {
    case 'text':
      return typeof value === 'string' && !/[\0\n\r]/.test(value) ? undefined : 'must be a text of one line';
    case 'size':
    case 'count':
      return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= mostMiB
        ? undefined
        : `must be a whole number from 0 to ${mostMiB}`;
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'list':
      return Array.isArray(value) && value.every((one) => typeof one === 'string')
        ? undefined
        : 'must be a list of texts';
    case 'settings':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? undefined
        : 'must be an object';
  }
  return type satisfies never;
}

function contradictions(board: Board): string[] {
  const faults: string[] = [];
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(board.name))
    faults.push('name must be of small letters, digits, dots and dashes');
  if (!/^\S+$/.test(board.deviceType)) faults.push('deviceType must be one word');
  if (board.alignmentMiB === 0) faults.push('alignmentMiB must be at least 1');
  if (board['data.sizeMiB'] === 0)
    faults.push('data.sizeMiB must be more than 0: what survives updates lies there');
  if (!/^\/[\w./-]+$/.test(board['boot.mount'])) faults.push('boot.mount must be an absolute path');
  if (!/^[\w-]{0,11}$/.test(board['boot.label']))
    faults.push('boot.label must be at most 11 letters, digits and dashes, as FAT allows');
  for (const key of ['rootfs.labelA', 'rootfs.labelB', 'data.label'] as const)
    if (!/^[\w-]{0,16}$/.test(board[key]))
      faults.push(`${key} must be at most 16 letters, digits and dashes, as ext4 allows`);
  if (board.storageDevice !== '' && !/^\/dev\/[\w/-]+$/.test(board.storageDevice))
    faults.push('storageDevice must begin with /dev/');
  return faults;
}

/** `{ boot: { sizeMiB: 64 } }` as `{ 'boot.sizeMiB': 64 }`; the bootloader's settings stay whole. */
function flat(given: unknown): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ImageError('badBoard', 'a board file holds one JSON object');
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]: [string, unknown]): [string, unknown][] =>
      groups.has(name) && typeof value === 'object' && value !== null
        ? Object.entries(value).map(([part, one]) => [`${name}.${part}`, one])
        : [[name, value]],
    ),
  );
}

const groups = new Set(
  Object.keys(boardKeys)
    .filter((name) => name.includes('.'))
    .map((name) => name.split('.')[0]),
);

function readOverride(text: string): [string, unknown] {
  const [, name = '', value = ''] = /^([\w.]+)=(.*)$/s.exec(text) ?? [];
  if (!Object.hasOwn(boardKeys, name))
    throw new ImageError('badBoard', `--set ${text}: say KEY=VALUE, with a key of a board file`);
  const { type } = boardKeys[name as BoardKeyName];
  if (typeof type === 'object' || type === 'text') return [name, value];
  try {
    return [name, JSON.parse(value)];
  } catch (cause) {
    throw new ImageError('badBoard', `--set ${text}: the value of ${name} must be JSON`, { cause });
  }
}
