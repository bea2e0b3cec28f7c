import { DatabaseError } from './database-error.ts';
import type { SearchLimits } from './search-limits.ts';

/** Where searches wait for what they run on: a few run at once, the others stand in line. */
export interface SearchLine<Place> {
  /**
   * Resolves with a place that nobody else has until it is left. Throws a DatabaseError: `tooBusy` when too many wait, or it waited too
   * long; `callerGone` when the signal ended meanwhile; `closed`.
   */
  readonly enter: (signal?: AbortSignal) => Promise<Place>;
  readonly leave: (place: Place) => void;
  /** Refuses those that wait, and all that come. */
  readonly close: () => void;
}

interface Waiting<Place> {
  readonly enter: (place: Place) => void;
  readonly refuse: (why: DatabaseError) => void;
}

export function searchLine<Place>(
  places: readonly Place[],
  { waitMs, maxWaiting }: Pick<SearchLimits, 'waitMs' | 'maxWaiting'>,
): SearchLine<Place> {
  const free = [...places];
  // In the order in which they came.
  const line = new Set<Waiting<Place>>();
  let isClosed = false;

  const wait = (signal: AbortSignal | undefined): Promise<Place> =>
    new Promise((resolve, reject) => {
      const waiting: Waiting<Place> = {
        enter: (place) => {
          goes();
          resolve(place);
        },
        refuse: (why) => {
          goes();
          reject(why);
        },
      };
      const gone = () => waiting.refuse(callerGone());
      const impatience = setTimeout(() => waiting.refuse(tooBusy()), waitMs);
      const goes = () => {
        line.delete(waiting);
        clearTimeout(impatience);
        signal?.removeEventListener('abort', gone);
      };
      signal?.addEventListener('abort', gone, { once: true });
      line.add(waiting);
    });

  return {
    enter: async (signal) => {
      if (isClosed) throw closed();
      if (signal?.aborted === true) throw callerGone();
      // The place that was left last: others need not even be made ready where one does.
      const place = free.pop();
      if (place !== undefined) return place;
      if (line.size >= maxWaiting) throw tooBusy();
      return wait(signal);
    },
    leave: (place) => {
      const [next] = line;
      if (next === undefined) free.push(place);
      else next.enter(place);
    },
    close: () => {
      isClosed = true;
      for (const { refuse } of line) refuse(closed());
    },
  };
}

export const closed = () => new DatabaseError('closed', 'the database is closed');

const tooBusy = () => new DatabaseError('tooBusy', 'too many searches are waiting: try again later');

const callerGone = () =>
  new DatabaseError('callerGone', 'the search was dropped before its turn: who asked for it is gone');
