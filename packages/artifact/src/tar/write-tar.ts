import { encodeTarHeader, endOfArchive, paddingOf } from './header.ts';

export interface TarFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly content: () => AsyncIterable<Uint8Array>;
}

/** The bytes of a tar archive of regular files, each owned by root and modified at `modifiedAt` (seconds since 1970). */
export async function* writeTar(files: readonly TarFile[], modifiedAt: number): AsyncIterable<Uint8Array> {
  for (const { name, sizeBytes, mode, content } of files) {
    yield encodeTarHeader({ name, sizeBytes, mode, modifiedAt });
    yield* content();
    yield new Uint8Array(paddingOf(sizeBytes));
  }
  yield endOfArchive;
}

/** Exactly as many bytes as `writeTar` gives. */
export function tarSize(files: readonly Omit<TarFile, 'content'>[]): number {
  const sizes = files.map(
    ({ name, sizeBytes, mode }) =>
      encodeTarHeader({ name, sizeBytes, mode, modifiedAt: 0 }).length + sizeBytes + paddingOf(sizeBytes),
  );
  return sizes.reduce((total, size) => total + size, endOfArchive.length);
}

/** A whole tar entry of something small. */
export function tarEntry(name: string, content: Uint8Array, mode: number, modifiedAt: number): Uint8Array {
  const header = encodeTarHeader({ name, sizeBytes: content.length, mode, modifiedAt });
  return Buffer.concat([header, content, new Uint8Array(paddingOf(content.length))]);
}
