/** What a disk does when it is asked; `failed` becomes EIO. Offsets and lengths are in bytes. */
export interface Medium {
  readonly sizeBytes: number;
  read(at: number, length: number): Buffer;
  write(at: number, bytes: Buffer): 'done' | 'failed';
  flush(): 'done' | 'failed';
}

/** A disk that always works, over bytes in memory. */
export function soundMedium(content: Buffer): Medium {
  return {
    sizeBytes: content.length,
    read: (at, length) => content.subarray(at, at + length),
    write: (at, bytes) => {
      bytes.copy(content, at);
      return 'done';
    },
    flush: () => 'done',
  };
}
