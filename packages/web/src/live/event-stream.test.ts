import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents, type StreamedEvent } from './event-stream.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function read(...chunks: readonly Uint8Array[]): Promise<StreamedEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: StreamedEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

const text =
  'id: 41\nevent: device.accepted\ndata: {"name":"Gerät"}\n\n: still there\n\nevent: user.created\ndata: {}\n\n';
const events = [
  { id: '41', type: 'device.accepted', data: '{"name":"Gerät"}' },
  { id: '41', type: 'message', data: '' },
  { id: '41', type: 'user.created', data: '{}' },
];

test('changes are read as they were sent, and an event without an id keeps the place of the one before', async () => {
  assert.deepEqual(await read(bytesOf(text)), events);
});

test('wherever the network cuts the stream, even within a letter, nothing is lost', async () => {
  const bytes = bytesOf(text);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    assert.deepEqual(await read(bytes.subarray(0, cut), bytes.subarray(cut)), events, `cut at ${cut}`);
  }
});

test('an event that breaks off at the end of the stream is none', async () => {
  assert.deepEqual(await read(bytesOf('id: 1\ndata: whole\n\nid: 2\ndata: ha')), [
    { id: '1', type: 'message', data: 'whole' },
  ]);
});

test('an event without end does not fill the memory', async () => {
  await assert.rejects(read(bytesOf(`data: ${'x'.repeat(70_000)}`)), RangeError);
});
