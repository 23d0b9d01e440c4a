import type { SavedCheckpoint } from './checkpointFiles';

/**
 * Checkpoints that count epochs, with the updates instead that so many epochs have; the others as they are. Ascending by step.
 * Names are given when an epoch is over: where they begin at 0, epoch e has made e + 1 of them.
 * @param examples of the training data
 * @param batchSize of one update; the last one of an epoch may be smaller
 */
export function inUpdates(
  saved: readonly SavedCheckpoint[],
  examples: number | undefined,
  batchSize: number | undefined,
): readonly SavedCheckpoint[] {
  if (!examples || !batchSize || saved.every(({ counts }) => counts === 'updates')) return saved;
  const updates = Math.ceil(examples / batchSize);
  const first = Math.min(...saved.flatMap(({ step, counts }) => (counts === 'epochs' ? [step] : [])));
  const done = (epoch: number) => Math.round((first === 0 ? epoch + 1 : epoch) * updates);
  return saved
    .map((one) => (one.counts === 'epochs' ? { ...one, step: done(one.step), counts: 'updates' as const } : one))
    .sort((a, b) => a.step - b.step);
}
