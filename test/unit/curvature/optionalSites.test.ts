import { describe, expect, test } from 'vitest';
import { optionalSites } from '../../../src/curvature/site';
import { WhenceError } from '../../../src/protocol/errors';
import { createRuntime } from '../../../src/worker/session';
import { fileOf, openNetwork, readNetwork, variants } from '../../support/goldenNetwork';
import { siteErrors } from '../../support/siteErrors';
import { node, type TinyModel } from '../../support/tinyModel';
import { subjectFor } from '../../support/tinySubject';

/** Embeddings and normalisations as sites, against PyTorch's gradients of every example. */

const runtime = createRuntime('cpu', 1);
const all = new Set(optionalSites);

/** Networks, and what even the options leave out: of folded normalisations and of ops that are no sum of products. */
const networks: readonly (readonly [string, RegExp | undefined, RegExp | undefined])[] = [
  ['normed', undefined, /^batch\./],
  ['bert-sdpa', undefined, undefined],
  ['gpt2-sdpa', undefined, undefined],
  ['vit-sdpa', undefined, undefined],
  ['cnn', undefined, /^b[12]\./],
  ['signal', undefined, undefined],
  ['gated', undefined, undefined],
  ['relative', /^distances\.weight$/, undefined],
  ['convnext', undefined, undefined],
  ['table', undefined, /^head\.2\./],
  ['timemajor', undefined, undefined],
  ['gru', undefined, undefined],
];

describe.each(networks)('%s', (name, never, folded) => {
  test.each(variants.filter((variant) => fileOf(name, variant)))('%s', async (variant) => {
    const network = await readNetwork(name);
    const { gradients, uncovered, torn } = await siteErrors(
      await openNetwork(network, variant, { optional: all }),
      runtime,
    );
    for (const [parameter, error] of gradients) expect.soft(error, parameter).toBeLessThan(1e-5);
    const folds = variant === 'dynamo' || variant === 'legacy' ? folded : undefined;
    for (const parameter of uncovered) expect(never?.test(parameter) || folds?.test(parameter), parameter).toBe(true);
    expect([...gradients.keys()].filter((parameter) => never?.test(parameter))).toEqual([]);
    // Of positions that no token has, an exporter may keep none.
    expect(torn.filter((parameter) => !/wpe|position_embeddings/.test(parameter))).toEqual([]);
  });
});

test('each option adds its own alone', async () => {
  const network = await readNetwork('bert-sdpa');
  const left = async (option: (typeof optionalSites)[number]) => {
    const exported = await openNetwork(network, 'dynamo-noopt', { optional: new Set([option]) });
    return (await siteErrors(exported, runtime)).uncovered;
  };
  const kind = /LayerNorm/;
  expect((await left('embeddings')).every((parameter) => kind.test(parameter))).toBe(true);
  expect((await left('normalizations')).some((parameter) => kind.test(parameter))).toBe(false);
});

test('a table of too many rows is refused by its name', async () => {
  const tiny: TinyModel = {
    example: [2],
    classes: 3,
    weights: { 'words.weight': [5000, 3] },
    nodes: [
      node('Cast', ['x'], 'ids', { to: 7 }),
      node('Gather', ['words.weight', 'ids'], 'rows'),
      node('ReduceMean', ['rows'], 'logits', { axes: [1], keepdims: 0 }),
    ],
  };
  const failure = await subjectFor(tiny, 2, all).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WhenceError);
  expect(failure).toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('words.weight has 5000 rows'),
  });
  expect((await subjectFor(tiny, 2)).sites).toEqual([]);
});
