import { streamChanges, type ApiClient } from '@tandem/api';
import { readEvents } from './event-stream.ts';
import { topicsOf, topics, type Topic } from './stale-by-change.ts';

/** `live`: changes come as they happen. `polling`: the stream cannot be had, all is asked for again at intervals. */
export type FeedState = 'connecting' | 'live' | 'polling';

export interface ChangeFeedNeeds {
  readonly call: ApiClient;
  /** Told what has become stale: at once, but for what came together, and then at most every `gatherMs`. */
  readonly onStale: (topics: ReadonlySet<Topic>) => void;
  readonly onState: (state: FeedState) => void;
  readonly signal: AbortSignal;
}

/** A burst of changes (a thousand devices report at once) costs one round of questions each so long. */
const gatherMs = 300;
/** What the server sends together is read in several turns. */
const togetherMs = 20;
const pollMs = 5000;
/** The server says that it is still there every 15 s; after this long it is not. */
const silenceMs = 40_000;

/**
 * Follows the changes of the server until the signal: goes on after a broken connection at the last change that was seen, so that
 * none is lost, and while there is no stream makes everything stale every five seconds.
 */
export async function followChanges({ call, onStale, onState, signal }: ChangeFeedNeeds): Promise<void> {
  const stale = gather(onStale, signal);
  let last: string | undefined;
  onState('connecting');
  while (!signal.aborted) {
    const silence = silenceWatch(signal);
    try {
      const { body } = await call(streamChanges, {
        signal: silence.signal,
        ...(last === undefined ? {} : { headers: { 'last-event-id': last } }),
      });
      // What changed before the first stream stood is in no stream, and what was asked for without one may have got no answer.
      stale(topics);
      onState('live');
      for await (const event of readEvents(body)) {
        silence.heard();
        last = event.id ?? last;
        stale(topicsOf(event.type));
      }
    } catch {
      // Whatever broke it: below is what there is to do about it.
    } finally {
      silence.end();
    }
    if (signal.aborted) return;
    onState('polling');
    stale(topics);
    await pause(pollMs, signal);
  }
}

function gather(onStale: ChangeFeedNeeds['onStale'], signal: AbortSignal) {
  const waiting = new Set<Topic>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener('abort', () => clearTimeout(timer));
  const tell = (): void => {
    timer = undefined;
    if (waiting.size === 0) return;
    onStale(new Set(waiting));
    waiting.clear();
    timer = setTimeout(tell, gatherMs);
  };
  return (more: Iterable<Topic>): void => {
    for (const topic of more) waiting.add(topic);
    if (waiting.size > 0) timer ??= setTimeout(tell, togetherMs);
  };
}

function silenceWatch(outer: AbortSignal) {
  const own = new AbortController();
  const expire = () => own.abort(new Error('the stream of changes fell silent'));
  let timer = setTimeout(expire, silenceMs);
  return {
    signal: AbortSignal.any([outer, own.signal]),
    heard: () => {
      clearTimeout(timer);
      timer = setTimeout(expire, silenceMs);
    },
    end: () => {
      clearTimeout(timer);
      own.abort();
    },
  };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
