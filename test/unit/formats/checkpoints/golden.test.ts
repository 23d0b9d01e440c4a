import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkpointFormats, openCheckpoint, recogniseCheckpoint } from '../../../../src/formats/checkpoints';
import { readTrainingState } from '../../../../src/formats/checkpoints/readTrainingState';
import { elementOffset, readTensor, type TensorRef } from '../../../../src/formats/tensor';
import type { ParameterGroup } from '../../../../src/formats/trainingState';
import { bytesPerElement } from '../../../../src/onnx/dtype';
import { numbersOf, tensorFromBytes } from '../../../../src/onnx/tensor';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { checkpointFixtures } from './fixtures';

interface Golden {
  readonly file: string;
  readonly format: string;
  readonly tensors: Readonly<Record<string, { dtype: string; dims: number[]; sum: number; first: number[] }>>;
  readonly alternatives?: readonly string[];
  readonly state?: {
    readonly optimizer?: {
      readonly kind?: string;
      readonly groups: readonly ParameterGroup[];
      readonly updates?: number;
      readonly secondMoments: Readonly<Record<string, number>>;
    };
  } & Readonly<Record<string, unknown>>;
}

const files = nodeFiles();
const goldens = readdirSync(checkpointFixtures)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(checkpointFixtures, name), 'utf8')) as Golden);

test('every format has a golden file', () => {
  const shown = new Set(goldens.map(({ format }) => format));
  expect(checkpointFormats.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
});

describe.each(goldens.map((golden) => [golden.file, golden] as const))('%s', (file, golden) => {
  const path = join(checkpointFixtures, file);

  test('has the tensors that Python reads', async () => {
    const source = await files.open(path);
    expect((await recogniseCheckpoint(source))?.name).toBe(golden.format);
    const { tensors, alternatives } = await openCheckpoint(source, files);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(golden.tensors).sort());
    expect(alternatives).toEqual(golden.alternatives);
    for (const [name, expected] of Object.entries(golden.tensors)) {
      const ref = tensors.get(name)!;
      const { first } = expected;
      expect({ name: ref.name, dtype: ref.dtype, dims: ref.dims }).toEqual({
        name,
        dtype: expected.dtype,
        dims: expected.dims,
      });
      const values = numbersOf(await readTensor(ref));
      expect(values.slice(0, 4)).toEqual(first);
      expect(sum(values)).toBeCloseTo(expected.sum, 9);
      expect(await oneByOne(ref, values.length)).toEqual(values);
    }
  });

  test('tells of training what Python reads', async () => {
    const { optimizer, ...rest } = await readTrainingState(path, files);
    const { optimizer: expected, ...others } = golden.state ?? {};
    expect(rest).toEqual(others);
    if (!expected) return expect(optimizer).toBeUndefined();
    const { kind, groups, updates, secondMoments } = optimizer!;
    expect({ kind, groups, updates }).toEqual({
      kind: expected.kind,
      groups: expected.groups,
      updates: expected.updates,
    });
    expect([...secondMoments.keys()].sort()).toEqual(Object.keys(expected.secondMoments).sort());
    for (const [name, moment] of secondMoments) {
      const values = numbersOf(await readTensor(moment));
      expect(sum(values) / expected.secondMoments[name]!).toBeCloseTo(1, 6);
      expect(moment.dims).toEqual(golden.tensors[name]!.dims);
    }
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Elements of a view, each read from where it is said to lie. */
async function oneByOne(ref: TensorRef, count: number): Promise<readonly number[]> {
  const { dtype, source } = ref;
  if (dtype === 'string') throw new Error('strings have no numbers');
  const width = bytesPerElement[dtype];
  const elements: number[] = [];
  for (let position = 0; position < count; position++) {
    const bytes = await source.read(elementOffset(ref, position), width);
    elements.push(...numbersOf(tensorFromBytes(dtype, [1], bytes)));
  }
  return elements;
}
