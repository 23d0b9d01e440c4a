import { expect, it } from 'vitest';
import { suspectRows } from '../../../src/extension/suspectRows';
import type { ReviewDecision, Suspect } from '../../../src/protocol/model';
import { english } from './english';

function suspect(index: number): Suspect {
  const id = { split: 'train', index };
  const preview = { kind: 'text', text: '' } as const;
  return {
    example: { id, label: 0, location: { file: '/ws/train.csv', index, line: index + 2 }, preview },
    suggested: 1,
    suspicion: 0.9876,
    meanLoss: 3.21987,
    selfInfluence: 12.3456,
  };
}

function decision(index: number, action: ReviewDecision['action'], newLabel?: number): ReviewDecision {
  const about = { example: { split: 'train', index }, action, givenLabel: 0, at: '2026-01-01T00:00:00Z' };
  return newLabel === undefined ? about : { ...about, newLabel };
}

it('names the example, both labels and both signals', () => {
  const [row] = suspectRows([suspect(51)], [], ['Shirt', 'Pullover'], english);
  expect(row).toMatchObject({
    label: '#51 Shirt → Pullover?',
    description: '98.8 %',
    context: 'suspect.open',
  });
  expect(row?.tooltip).toContain('3.220');
  expect(row?.spoken).toBe('Example 51, labelled Shirt, suggested Pullover, not decided, suspicion 98.8 %');
  expect(row?.tooltip).toContain('12.3');
});

it('shows every decision by words and by a shape of its own, and the newest review wins', () => {
  const suspects = [1, 2, 3, 4].map(suspect);
  const decisions = [decision(1, 'relabel', 1), decision(2, 'exclude'), decision(3, 'keep'), decision(9, 'keep')];
  const rows = suspectRows(suspects, decisions, ['Shirt', 'Pullover'], english);
  expect(rows.map(({ context }) => context)).toEqual([
    'suspect.relabel',
    'suspect.exclude',
    'suspect.keep',
    'suspect.open',
  ]);
  expect(rows.map(({ description }) => description.split(' · ')[0])).toEqual([
    'relabelled Pullover',
    'excluded',
    'kept',
    '98.8 %',
  ]);
  expect(new Set(rows.map(({ icon }) => icon)).size).toBe(4);
});

it('falls back to numbers where classes have no names', () => {
  expect(suspectRows([suspect(7)], [], [], english)[0]?.label).toBe('#7 0 → 1?');
});
