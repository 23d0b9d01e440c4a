import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assignParameters } from '../../../../src/formats/checkpoints/optimizer/assign';
import { findOrder } from '../../../../src/formats/checkpoints/optimizer/order';
import { kindOf } from '../../../../src/formats/checkpoints/optimizer/settings';
import type { PickleDict, PickleValue } from '../../../../src/formats/pickle/values';
import { checkpointFixtures } from './fixtures';

interface Model {
  readonly tensors: Readonly<Record<string, number[]>>;
  readonly decayed: readonly string[];
  readonly exempt: readonly string[];
  readonly all: readonly string[];
}

const models = JSON.parse(readFileSync(join(checkpointFixtures, 'orders/orders.json'), 'utf8')) as Record<
  string,
  Model
>;

/** Models whose order shapes and conventions tell; of the others nothing must be told. */
const told = ['gpt2', 'llama', 'qwen3', 'bert', 'roberta', 'distilbert', 'lstm'];

describe.each(Object.entries(models))('the parameters of %s', (name, { tensors, decayed, exempt, all }) => {
  const shapes = (names: readonly string[]) => names.map((one) => tensors[one]!);
  const candidates = (names: readonly string[]) => names.map((one) => ({ name: one, dims: tensors[one]! }));

  test('are found in the order of the model, in one group and by weight decay', () => {
    expect(assignParameters([shapes(all)], candidates(all))).toEqual([all]);
    const split = assignParameters([shapes(decayed), shapes(exempt)], candidates(all));
    if (name !== 'alike') expect(split).toEqual([decayed, exempt]);
  });

  test('are never mistaken where the file has sorted them', () => {
    const sorted = candidates(Object.keys(tensors));
    for (const groups of [[all], [decayed, exempt]]) {
      const found = findOrder(groups.map(shapes), sorted);
      if (found) expect(found).toEqual(groups);
      if (told.includes(name)) expect(found).toBeDefined();
    }
  });
});

describe('assignParameters', () => {
  const net = [
    { name: 'body.0.weight', dims: [4, 3] },
    { name: 'body.0.bias', dims: [4] },
    { name: 'mask', dims: [7] },
    { name: 'head.weight', dims: [2, 4] },
    { name: 'head.bias', dims: [2] },
  ];

  test('leaves out what is no parameter', () => {
    expect(assignParameters([[[4, 3], [4], [2, 4], [2]]], net)).toEqual([
      ['body.0.weight', 'body.0.bias', 'head.weight', 'head.bias'],
    ]);
  });

  test('tells the head that was put before the body', () => {
    const parameters = net.filter(({ name }) => name !== 'mask');
    expect(
      assignParameters(
        [
          [[2, 4], [2]],
          [[4, 3], [4]],
        ],
        parameters,
      ),
    ).toEqual([
      ['head.weight', 'head.bias'],
      ['body.0.weight', 'body.0.bias'],
    ]);
  });

  test('tells nothing where shapes leave a choice', () => {
    const twins = ['a', 'b', 'c'].map((name) => ({ name: `${name}.weight`, dims: [2, 2] }));
    expect(assignParameters([[[2, 2]]], twins)).toBeUndefined();
    expect(
      assignParameters(
        [
          [[2, 2]],
          [
            [2, 2],
            [2, 2],
          ],
        ],
        twins,
      ),
    ).toBeUndefined();
    expect(assignParameters([[[2, 2], undefined, [2, 2]]], twins)).toEqual([['a.weight', 'b.weight', 'c.weight']]);
  });

  test('tells nothing where no order fits', () => {
    expect(assignParameters([[[9, 9]]], net)).toBeUndefined();
    expect(assignParameters([[[4, 3], [4], [2, 4], [2], [2], [2]]], net)).toBeUndefined();
  });
});

describe('kindOf', () => {
  const adam = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1, amsgrad: false };
  const sgd = { lr: 1e-3, momentum: 0.9, dampening: 0, nesterov: false, weight_decay: 0 };
  const dict = (settings: Record<string, PickleValue>): PickleDict => new Map(Object.entries(settings));
  const states = [dict({ exp_avg: 1, exp_avg_sq: 1 })];

  test.each([
    ['SGD', sgd, undefined, 'sgd'],
    ['SGD with dampening', { ...sgd, dampening: 0.1 }, undefined, undefined],
    ['Adam of newer versions', { ...adam, decoupled_weight_decay: false }, states, 'adam'],
    ['AdamW of newer versions', { ...adam, decoupled_weight_decay: true }, states, 'adamw'],
    ['Adam or AdamW of older ones', adam, states, undefined],
    ['either without weight decay', { ...adam, weight_decay: 0 }, states, 'adam'],
    ['AMSGrad', { ...adam, amsgrad: true, decoupled_weight_decay: true }, states, undefined],
    ["transformers' AdamW", { ...adam, amsgrad: 0, correct_bias: true }, states, 'adamw'],
    ['RMSprop', { lr: 1, momentum: 0, alpha: 0.9, eps: 1, centered: false }, undefined, undefined],
    ['NAdam', { lr: 1, betas: [0.9, 0.9], eps: 1, weight_decay: 0, momentum_decay: 0.1 }, states, undefined],
    ['Adamax', { ...adam, decoupled_weight_decay: false }, [dict({ exp_avg: 1, exp_inf: 1 })], undefined],
  ])('%s', (_, settings, kept, kind) => {
    expect(kindOf([dict(settings)], kept ?? [])).toBe(kind);
  });
});
