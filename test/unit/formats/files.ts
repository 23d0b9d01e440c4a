import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ByteSource } from '../../../src/formats/bytes';
import { WhenceError } from '../../../src/protocol/errors';
import { memorySource } from '../../../src/worker/fileSource';

/** Folder of the small real files. */
export const fixtures = fileURLToPath(new URL('../../fixtures/formats/', import.meta.url));

export function fixture(name: string): ByteSource {
  return memorySource(`${fixtures}${name}`, new Uint8Array(readFileSync(`${fixtures}${name}`)));
}

export function sourceOf(content: string | Uint8Array | readonly number[], path = '/run/file'): ByteSource {
  return memorySource(path, typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content));
}

/** What a promise fails with; fails itself where it does not, or not with a WhenceError. */
export async function failureOf(promise: Promise<unknown>): Promise<WhenceError> {
  const error = await promise.then(
    () => new Error('nothing failed'),
    (reason: unknown) => reason,
  );
  if (error instanceof WhenceError) return error;
  throw error;
}
