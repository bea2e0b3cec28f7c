import type { Files } from './system.ts';
import { storageCallLimitMs, withinTime } from './within-time.ts';

/** The same files, of which every call ends: with `storageHangs` after `limitMs` at the latest. */
export function filesInTime(files: Files, limitMs = storageCallLimitMs): Files {
  return {
    read: (path, maxBytes) => withinTime(files.read(path, maxBytes), `Reading ${path}`, limitMs),
    writeDurably: (path, content, mode) =>
      withinTime(files.writeDurably(path, content, mode), `Writing ${path}`, limitMs),
    removeDurably: (path) => withinTime(files.removeDurably(path), `Removing ${path}`, limitMs),
    makeDirectoryDurably: (path, mode) =>
      withinTime(files.makeDirectoryDurably(path, mode), `Making the directory ${path}`, limitMs),
    list: (path) => withinTime(files.list(path), `Listing ${path}`, limitMs),
    kind: (path) => withinTime(files.kind(path), `Looking at ${path}`, limitMs),
  };
}
