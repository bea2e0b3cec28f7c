import { streamChanges, type ApiClient } from '@tandem/api';
import { readEvents } from './event-stream.ts';
import { topicsOf, topics, type Topic } from './stale-by-change.ts';

/** `live`: changes come as they happen. `polling`: the stream cannot be had, all is asked for again at intervals. */
export type FeedState = 'connecting' | 'live' | 'polling';

export interface ChangeFeedNeeds {
  readonly call: ApiClient;
  /**
   * Told what has become stale, and resolves once it was asked for anew: at once, but for what came together, and then no sooner than
   * `gatherMs` after the answers, and longer after answers that took the server long.
   */
  readonly onStale: (topics: ReadonlySet<Topic>) => Promise<unknown>;
  readonly onState: (state: FeedState) => void;
  /** Whether anything was asked for before the stream: that may have changed meanwhile. */
  readonly hasAsked: boolean;
  readonly signal: AbortSignal;
}

/** A burst of changes (a thousand devices report at once) costs one round of questions each so long. */
const gatherMs = 300;
/** So many times as long as the answers took the server is left alone: what is dear to ask is asked less often. */
const restPerAnswer = 2;
/** What is still not answered then does not keep the rest from being asked for. */
const maxAnswerMs = 5000;
/** What the server sends together is read in several turns. */
const togetherMs = 20;
const pollMs = 5000;
/** The server says that it is still there every 15 s; after this long it is not. */
const silenceMs = 40_000;

/** The first stream stands in far less; who waits longer is shown the page without it. */
const patienceMs = 500;

/**
 * Follows the changes of the server until the signal: goes on after a broken connection at the last change that was seen, so that
 * none is lost, and while there is no stream makes everything stale every five seconds. Who asks for nothing before the state has left
 * `connecting`, for half a second at most, need not ask for it again when the stream stands.
 */
export async function followChanges(needs: ChangeFeedNeeds): Promise<void> {
  const { call, onStale, onState, signal } = needs;
  const stale = gather(onStale, signal);
  let last: string | undefined;
  let { hasAsked } = needs;
  onState('connecting');
  const patience = setTimeout(() => {
    hasAsked = true;
    onState('polling');
  }, patienceMs);
  signal.addEventListener('abort', () => clearTimeout(patience));
  while (!signal.aborted) {
    const silence = silenceWatch(signal);
    try {
      const { body } = await call(streamChanges, {
        signal: silence.signal,
        ...(last === undefined ? {} : { headers: { 'last-event-id': last } }),
      });
      clearTimeout(patience);
      // What changed before the first stream stood is in no stream, and what was asked for without one may have got no answer.
      if (hasAsked) stale(topics);
      hasAsked = true;
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
    clearTimeout(patience);
    hasAsked = true;
    onState('polling');
    stale(topics);
    await pause(pollMs, signal);
  }
}

function gather(onStale: ChangeFeedNeeds['onStale'], signal: AbortSignal) {
  const waiting = new Set<Topic>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAsking = false;
  signal.addEventListener('abort', () => clearTimeout(timer));
  const tell = async (): Promise<void> => {
    timer = undefined;
    if (waiting.size === 0) return;
    const told = new Set(waiting);
    waiting.clear();
    isAsking = true;
    const began = performance.now();
    // What fails is shown where it was asked for.
    await Promise.race([onStale(told).catch(() => undefined), pause(maxAnswerMs, signal)]);
    isAsking = false;
    if (signal.aborted) return;
    timer = setTimeout(() => void tell(), Math.max(gatherMs, restPerAnswer * (performance.now() - began)));
  };
  return (more: Iterable<Topic>): void => {
    for (const topic of more) waiting.add(topic);
    if (waiting.size > 0 && !isAsking) timer ??= setTimeout(() => void tell(), togetherMs);
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
