import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { encodeSafetensors } from '../../src/formats/checkpoints/safetensors';
import { encodeModel } from '../../src/onnx/encode';
import type { Tensor } from '../../src/onnx/runtime';
import { randomFloats, randomNumbers } from './random';
import { count, modelOf, perceptron, type TinyModel } from './tinyModel';

/** A run on disk. */
export interface RunFolder {
  readonly folder: string;
  readonly config: string;
}

export interface TinyRun extends RunFolder {
  /** The object that stands in `whence.json`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export const tinyExamples = 30;
export const tinyQueries = 5;

/** Writes a run of a tiny network: CSV tables, checkpoints of steps 10, 20 and 100 that drift apart, `whence.json`. */
export async function makeTinyRun(model: TinyModel = perceptron, settings: object = {}): Promise<TinyRun> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-tiny-'));
  await mkdir(join(folder, 'checkpoints'));
  for (const step of [10, 20, 100]) {
    await writeCheckpoint(join(folder, 'checkpoints', `step-${step}.safetensors`), weightsAt(model, step));
  }
  await writeFile(join(folder, 'model.onnx'), encodeModel(modelOf(model)));
  const width = count(model.example);
  await writeFile(join(folder, 'train.csv'), table(tinyExamples, width, model.classes, 3));
  await writeFile(join(folder, 'test.csv'), table(tinyQueries, width, model.classes, 4));
  const all = {
    model: 'model.onnx',
    checkpoints: 'checkpoints/step-*.safetensors',
    data: { train: { format: 'csv', file: 'train.csv' }, test: { format: 'csv', file: 'test.csv' } },
    optimizer: { kind: 'sgd', learningRate: 0.05 },
    segments: 2,
    ...settings,
  };
  const config = join(folder, 'whence.json');
  await writeFile(config, JSON.stringify(all));
  return { folder, config, settings: all };
}

/** Weights that move with the step, so that checkpoints differ. */
export function weightsAt(model: TinyModel, step: number): Map<string, Tensor> {
  const [from, towards] = [randomNumbers(1), randomNumbers(2)];
  return new Map(
    Object.entries(model.weights).map(([name, dims]): [string, Tensor] => {
      const data = randomFloats(count(dims), from);
      const drift = randomFloats(count(dims), towards, step / 200);
      return [name, { dtype: 'float32', dims, data: data.map((value, i) => value + drift[i]!) }];
    }),
  );
}

export async function writeCheckpoint(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  await writeFile(path, Buffer.concat(encodeSafetensors(tensors)));
}

function table(rows: number, width: number, classes: number, seed: number): string {
  const random = randomNumbers(seed);
  const names = Array.from({ length: width }, (_, i) => `x${i}`);
  const lines = Array.from({ length: rows }, (_, row) => [...randomFloats(width, random), row % classes].join());
  return `${[[...names, 'label'].join(), ...lines].join('\n')}\n`;
}

/** A copy of a run of the repository (a path below its root), which stages may be stored in. */
export async function copyRun(path: string): Promise<RunFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-copy-'));
  await cp(new URL(`../../${path}`, import.meta.url), folder, {
    recursive: true,
    filter: (from) => !from.includes('.whence') && !from.includes('whence.review'),
  });
  return { folder, config: join(folder, 'whence.json') };
}

/** Takes note of runs that a test file has made, and removes their folders after its last test. */
export function useRunFolders(): <R extends RunFolder>(made: R) => R {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));
  return (made) => {
    folders.push(made.folder);
    return made;
  };
}
