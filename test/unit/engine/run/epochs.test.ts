import { expect, test } from 'vitest';
import type { SavedCheckpoint } from '../../../../src/engine/run/checkpointFiles';
import { inUpdates } from '../../../../src/engine/run/epochs';

const saved = (step: number, counts: SavedCheckpoint['counts'] = 'epochs'): SavedCheckpoint => ({
  file: `${counts}-${step}.pt`,
  step,
  counts,
  state: {},
});
const stepsOf = (checkpoints: readonly SavedCheckpoint[]) => checkpoints.map(({ step }) => step);

test('an epoch has as many updates as batches, the short one counted', () => {
  // 105 examples in batches of 10: 11 updates.
  expect(inUpdates([saved(1), saved(3)], 105, 10)).toMatchObject([
    { step: 11, counts: 'updates' },
    { step: 33, counts: 'updates' },
  ]);
});

test('epochs that begin at 0 are over when they are named', () => {
  expect(stepsOf(inUpdates([saved(0), saved(1), saved(4)], 100, 10))).toEqual([10, 20, 50]);
});

test('checkpoints that know their updates keep them, in order with the others', () => {
  expect(stepsOf(inUpdates([saved(1), saved(2), saved(15, 'updates')], 100, 10))).toEqual([10, 15, 20]);
});

test('nothing changes where something is not known', () => {
  const epochs = [saved(1), saved(2)];
  expect(inUpdates(epochs, undefined, 10)).toBe(epochs);
  expect(inUpdates(epochs, 100, undefined)).toBe(epochs);
});
