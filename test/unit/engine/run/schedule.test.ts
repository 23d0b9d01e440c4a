import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { SavedCheckpoint } from '../../../../src/engine/run/checkpointFiles';
import { scheduledTotal } from '../../../../src/engine/run/schedule';
import { scheduleOf } from '../../../../src/formats/checkpoints/torch/schedule';
import type { PickleValue } from '../../../../src/formats/pickle/values';
import type { RateSchedule } from '../../../../src/formats/trainingState';

interface Golden {
  /** What torch's schedule keeps after 30 steps. */
  readonly state: Readonly<Record<string, number | boolean | number[]>>;
  readonly rates: readonly number[];
}

const goldens: Readonly<Record<string, Golden>> = JSON.parse(
  readFileSync(new URL('../../../fixtures/runs/schedules.json', import.meta.url), 'utf8'),
);
const names = Object.keys(goldens);

function read(name: string): RateSchedule {
  const state = new Map<PickleValue, PickleValue>(Object.entries(goldens[name]!.state));
  return scheduleOf(new Map<PickleValue, PickleValue>([['lr_schedulers', [state]]]))!;
}

function saved(step: number, schedule: RateSchedule, learningRate: number): SavedCheckpoint {
  const optimizer = { groups: [{ learningRate }], secondMoments: new Map() };
  return { file: `${step}.ckpt`, step, counts: 'updates', state: { schedule, optimizer } };
}

const sum = (rates: readonly number[]) => rates.reduce((a, b) => a + b, 0);

describe.each(names)('%s', (name) => {
  const { rates } = goldens[name]!;

  test('gives the rates of torch, update by update', () => {
    const total = scheduledTotal([saved(12, read(name), rates[12]!), saved(30, read(name), rates[30]!)])!;
    for (let update = 0; update < 30; update++) expect(total(update, update + 1)).toBeCloseTo(rates[update]!, 12);
    expect(total(3, 27)).toBeCloseTo(sum(rates.slice(3, 27)), 10);
    expect(total(28, 31)).toBeCloseTo(sum(rates.slice(28, 31)), 10);
  });

  test('takes its step once an epoch where it was counted so', () => {
    const total = scheduledTotal([saved(300, read(name), rates[30]!)])!;
    expect(total(0, 300)).toBeCloseTo(10 * sum(rates.slice(0, 30)), 9);
    expect(total(35, 36)).toBeCloseTo(rates[3]!, 12);
  });

  test('is not believed where a checkpoint was saved with another rate', () => {
    expect(scheduledTotal([saved(12, read(name), 0.123), saved(30, read(name), rates[30]!)])).toBeUndefined();
  });
});

test('the table holds every schedule that is read', () => {
  expect(names.map((name) => read(name).kind).sort()).toEqual(['cosine', 'exponential', 'linear', 'step']);
});
