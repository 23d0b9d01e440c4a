import { expect, it } from 'vitest';
import { progressText } from '../../../src/extension/progressText';
import { english } from './english';

it('tells the stage, the share done and the time left', () => {
  const progress = { phase: 'curvature', message: 'Segment 2 of 3', done: 419, total: 1000 } as const;
  expect(progressText({ ...progress, remainingSeconds: 110.4 }, english)).toBe('Segment 2 of 3, 41 %, 1:50 left');
  expect(progressText(progress, english)).toBe('Segment 2 of 3, 41 %');
});

it('says nothing of a share where there is nothing to count', () => {
  const progress = { phase: 'reading', message: 'Reading', done: 0, total: 0, remainingSeconds: 7 } as const;
  expect(progressText(progress, english)).toBe('Reading, 0:07 left');
});
