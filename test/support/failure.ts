import { expect } from 'vitest';
import { WhenceError } from '../../src/protocol/errors';

/** The `WhenceError` that an act fails with; anything else fails the test. */
export async function failure(act: Promise<unknown>): Promise<WhenceError> {
  const thrown = await act.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(WhenceError);
  return thrown as WhenceError;
}
