import { useEffect, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { call } from '../api/call.ts';
import { followChanges, type FeedState } from './change-feed.ts';

/** Keeps every query of the interface fresh while the one who is signed in looks at it. Used once, by the shell. */
export function useChangeFeed(isFed: boolean): FeedState {
  const queries = useQueryClient();
  const [state, setState] = useState<FeedState>('connecting');
  useEffect(() => {
    if (!isFed) return undefined;
    const ended = new AbortController();
    void followChanges({
      call,
      onStale: (topics) => {
        void queries.invalidateQueries({ predicate: ({ queryKey: [topic] }) => isAmong(topics, topic) });
      },
      onState: setState,
      signal: ended.signal,
    });
    return () => ended.abort();
  }, [queries, isFed]);
  return state;
}

const isAmong = (topics: ReadonlySet<string>, topic: unknown): boolean =>
  typeof topic === 'string' && topics.has(topic);
