import { useEffect, useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { call } from '../api/call.ts';
import { followChanges, type FeedState } from './change-feed.ts';

export interface ChangeFeed {
  readonly state: FeedState;
  /** Before that the stream is about to stand: what is asked for then would have to be asked for again. */
  readonly mayAsk: boolean;
}

/** Keeps every query of the interface fresh while the one who is signed in looks at it. Used once, by the shell. */
export function useChangeFeed(isFed: boolean): ChangeFeed {
  const queries = useQueryClient();
  const [state, setState] = useState<FeedState>('connecting');
  const [mayAsk, setMayAsk] = useState(false);
  const hasAsked = useRef(false);
  useEffect(() => {
    if (!isFed) return undefined;
    const ended = new AbortController();
    void followChanges({
      call,
      onStale: (topics) =>
        queries.invalidateQueries({ predicate: ({ queryKey: [topic] }) => isAmong(topics, topic) }),
      onState: (next) => {
        setState(next);
        if (next === 'connecting') return;
        hasAsked.current = true;
        setMayAsk(true);
      },
      hasAsked: hasAsked.current,
      signal: ended.signal,
    });
    return () => ended.abort();
  }, [queries, isFed]);
  return { state, mayAsk };
}

const isAmong = (topics: ReadonlySet<string>, topic: unknown): boolean =>
  typeof topic === 'string' && topics.has(topic);
