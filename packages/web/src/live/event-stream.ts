/** One server-sent event; `id` is the last one known, as in the HTML standard's event source. */
export interface StreamedEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

const maxEventLength = 65_536;

/**
 * Reads server-sent events from a body (HTML standard, 9.2.6), of which we send lines that end with LF. An event without data is
 * yielded, too: it carries the id from which to go on. Throws a RangeError when an event is longer than 64 KiB.
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamedEvent> {
  let text = '';
  let id: string | undefined;
  for await (const piece of chunks(body)) {
    text += piece;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const fields = fieldsOf(text.slice(0, end));
      text = text.slice(end + 2);
      id = fields.get('id') ?? id;
      yield { id, type: fields.get('event') ?? 'message', data: fields.get('data') ?? '' };
    }
    if (text.length > maxEventLength) {
      throw new RangeError(`the server sent an event of more than ${maxEventLength} characters`);
    }
  }
}

async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      yield decoder.decode(piece.value, { stream: true });
    }
  } finally {
    await reader.cancel();
  }
}

const fieldsOf = (block: string): Map<string, string> =>
  new Map(
    block.split('\n').flatMap((line) => {
      const [, name, value = ''] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value] as const];
    }),
  );
