import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { letBeInterrupted } from './sqlite-functions.ts';
import type { Answer, Query, SearchThreadData } from './search-queries.ts';

/*
 * The program of the thread that searches; like main.ts it runs when it is loaded, and nobody imports it. It has a connection of its
 * own, which cannot write, and answers one query after the other. It knows nothing of devices: the stores make its SQL.
 */
const nice = 10;
const { path, busyTimeoutMs } = workerData as SearchThreadData;
const sqlite = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });
sqlite.exec('PRAGMA query_only = ON');
letBeInterrupted(sqlite);
sqlite.function('regexp', { deterministic: true }, patternTest());

giveWayToPolls();

parentPort?.on('message', (query: Query) => parentPort?.postMessage(answer(query)));
parentPort?.postMessage('ready');

// Each query is a transaction of its own, begun now: what was committed before it was asked, it sees.
function answer({ sql, parameters }: Query): Answer {
  try {
    return { rows: sqlite.prepare(sql).all(...parameters) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Whoever searches waits a little longer where there are too few processors for both: Linux keeps a priority for each thread, by a
 * number of its own, which only it can see. Where that is not so, all are alike.
 */
function giveWayToPolls(): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), nice);
  } catch {
    // Not Linux, or not allowed to: the search works as well.
  }
}

/** `text REGEXP pattern`, unanchored, in ECMAScript's words. One pattern is tried on many texts: it is compiled once. */
function patternTest(): (pattern: SQLInputValue, text: SQLInputValue) => number {
  let compiled: RegExp | undefined;
  let source: SQLInputValue = null;
  return (pattern, text) => {
    if (typeof pattern !== 'string' || typeof text !== 'string') return 0;
    if (compiled === undefined || source !== pattern) {
      compiled = new RegExp(pattern);
      source = pattern;
    }
    return compiled.test(text) ? 1 : 0;
  };
}
