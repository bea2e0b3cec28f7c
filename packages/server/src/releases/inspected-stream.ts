/**
 * Lets `inspect` read a stream while somebody else consumes it, chunk by chunk and side by side: the consumer gets a chunk after
 * the inspector has taken it, so that nothing piles up. The consumer sees the end of the stream only once the inspector is
 * content; when the inspector throws, the stream throws the same, at once.
 */
export function inspectedStream<T>(
  source: AsyncIterable<Uint8Array>,
  inspect: (source: AsyncIterable<Uint8Array>) => Promise<T>,
): { readonly content: AsyncIterable<Uint8Array>; readonly result: () => T } {
  let outcome: { readonly value: T } | undefined;

  async function* content(): AsyncGenerator<Uint8Array> {
    const hand = handOver();
    const inspection = inspect(hand.taken)
      .then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      )
      .finally(() => hand.fail(new Error('the inspector has ended')));
    try {
      for await (const chunk of source) {
        // An inspector that has ended early either refuses, or was content with less than there is and is not asked again.
        if ((await hand.give(chunk)) === 'ended') {
          const early = await inspection;
          if ('error' in early) throw early.error;
        }
        yield chunk;
      }
      hand.end();
      const last = await inspection;
      if ('error' in last) throw last.error;
      outcome = last;
    } catch (error) {
      hand.fail(error);
      await inspection;
      throw error;
    } finally {
      // Left early by the consumer: the inspector must not wait for ever.
      hand.fail(new Error('the stream was given up'));
    }
  }

  return {
    content: content(),
    result: () => {
      if (outcome === undefined) throw new Error('inspected stream: asked for the result before the end');
      return outcome.value;
    },
  };
}

type Item = { readonly chunk: Uint8Array } | { readonly end: true } | { readonly error: unknown };

/** One place between two sides: `give` resolves once the other side has asked for the chunk, or has ended. */
function handOver() {
  let waiting: ((item: Item) => void) | undefined;
  let final: Item | undefined;
  let asked = Promise.withResolvers<void>();

  const finish = (item: Item) => {
    final ??= item;
    waiting?.(final);
    waiting = undefined;
    asked.resolve();
  };
  const next = (): Promise<Item> => {
    if (final !== undefined) return Promise.resolve(final);
    return new Promise((resolve) => {
      waiting = resolve;
      asked.resolve();
    });
  };
  async function* taken(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const item = await next();
      if ('end' in item) return;
      if ('error' in item) throw item.error;
      yield item.chunk;
    }
  }
  return {
    taken: taken(),
    give: async (chunk: Uint8Array): Promise<'given' | 'ended'> => {
      await asked.promise;
      if (final !== undefined) return 'ended';
      asked = Promise.withResolvers<void>();
      waiting?.({ chunk });
      waiting = undefined;
      return 'given';
    },
    end: () => finish({ end: true }),
    fail: (error: unknown) => finish({ error }),
  };
}
