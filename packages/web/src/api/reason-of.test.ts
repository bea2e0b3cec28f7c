import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@tandem/api';
import { reasonOf } from './reason-of.ts';

const refused = (status: number, body?: unknown) =>
  new ApiError('refused', `the server refused with ${status}`, { status, body });

test('what the server says of a refusal is what one reads, as a sentence', () => {
  assert.equal(reasonOf(refused(422, { error: 'no artifact fits' })), 'No artifact fits.');
  assert.equal(reasonOf(refused(400, { error: 'Truncated?' })), 'Truncated?');
});

test('a refusal without words is told by its status', () => {
  assert.match(reasonOf(refused(403)), /not allowed/);
  assert.match(reasonOf(refused(401, { error: '' })), /sign in again/);
  assert.equal(reasonOf(refused(418)), 'The server refused with 418.');
});

test('a server that is away says what to do', () => {
  assert.match(reasonOf(new ApiError('unreachable', 'fetch failed')), /did not answer.*try again/);
});

test('what is no answer of the server is told as it is', () => {
  assert.equal(reasonOf(new Error('the disk is full')), 'the disk is full');
});
