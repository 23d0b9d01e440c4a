import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig } from '../../../../src/engine/config/config';
import { inspectFolder } from '../../../../src/engine/workspace/inspect';
import { nodeFiles } from '../../../../src/worker/nodeFiles';

/** How people lay out their runs: real files of test/fixtures/runs, put where other habits would put them. */
const runs = fileURLToPath(new URL('../../../fixtures/runs/', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-layout-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function copy(from: string, to: string): void {
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  cpSync(join(runs, from), join(folder, to), { recursive: true });
}

async function propose() {
  const { proposals } = await inspectFolder(folder, nodeFiles(), new AbortController().signal);
  return proposals.map((proposal) => {
    const { config } = parseConfig(proposal.text, proposal.config);
    return { ...proposal, parsed: config, config: relative(folder, proposal.config) };
  });
}

test('two versions of one Lightning model are two runs, each with its own log', async () => {
  copy('lightning', '.');
  copy('lightning/lightning_logs/version_0', 'lightning_logs/version_1');
  copy('data', 'data');
  const found = await propose();
  expect(found.map(({ config }) => config)).toEqual([
    'lightning_logs/version_0/whence.json',
    'lightning_logs/version_1/whence.json',
  ]);
  for (const { parsed, question } of found) {
    expect(parsed).toMatchObject({
      model: '../../model.onnx',
      log: 'metrics.csv',
      checkpoints: 'checkpoints/epoch=*.ckpt',
    });
    expect(question).toBeUndefined();
  }
});

test("two output folders of transformers' Trainer are two runs, and what lies beside the weights is none", async () => {
  copy('trainer', '.');
  copy('trainer/out', 'seed-1');
  copy('trainer/out/checkpoint-60/model.safetensors', 'out/model.safetensors');
  copy('trainer/out/checkpoint-60/training_args.bin', 'out/training_args.bin');
  const found = await propose();
  expect(found.map(({ config }) => config)).toEqual(['out/whence.json', 'seed-1/whence.json']);
  for (const { parsed, checkpoints } of found) {
    expect(parsed?.checkpoints).toBe('checkpoint-*/model.safetensors');
    expect(checkpoints.map(({ step }) => step)).toEqual([20, 40, 60]);
  }
});

test('checkpoints are in the order of the steps that they hold, whatever they are called', async () => {
  copy('loop/model.onnx', 'model.onnx');
  copy('data', 'data');
  for (const [name, step] of [
    ['z-first', 16],
    ['best', 64],
    ['a-last', 96],
  ] as const) {
    copy(`loop/model-${step}.pt`, `${name}.pt`);
  }
  const [run, ...others] = await propose();
  expect(others).toEqual([]);
  expect(run!.checkpoints.map(({ file, step }) => [relative(folder, file), step])).toEqual([
    ['z-first.pt', 16],
    ['best.pt', 64],
    ['a-last.pt', 96],
  ]);
});

test('a name of another step than the file holds is said, and the file believed', async () => {
  copy('loop/model.onnx', 'model.onnx');
  copy('data', 'data');
  copy('loop/model-16.pt', 'step-16.pt');
  copy('loop/model-48.pt', 'step-480.pt');
  const [run] = await propose();
  expect(run!.checkpoints.map(({ step }) => step)).toEqual([16, 48]);
  expect(run!.problems).toMatchObject([{ severity: 'warning', file: join(folder, 'step-480.pt') }]);
});

test('ONNX files called after their steps are checkpoints, and the last one the model', async () => {
  copy('data', 'data');
  for (const step of [10, 9]) copy('loop/model.onnx', `exports/step-${step}.onnx`);
  const [run, ...others] = await propose();
  expect(others).toEqual([]);
  expect(run!.problems).toEqual([]);
  expect(run!.parsed).toMatchObject({ model: 'step-10.onnx', checkpoints: 'step-*.onnx' });
  expect(run!.checkpoints.map(({ step }) => step)).toEqual([9, 10]);
  expect(run!.question).toBeDefined();
});

test('a single ONNX file called after its step is a model', async () => {
  copy('loop/model.onnx', 'model-step-96.onnx');
  copy('data', 'data');
  for (const step of [16, 96]) copy(`loop/model-${step}.pt`, `model-${step}.pt`);
  const found = await propose();
  expect(found.map(({ parsed }) => parsed?.model)).toEqual(['model-step-96.onnx']);
});

test('checkpoints that count epochs alone count updates once the batch size is known', async () => {
  copy('loop/model.onnx', 'model.onnx');
  copy('data', 'data');
  // Weights without a state: an epoch of 240 examples.
  for (const epoch of [1, 2]) copy('trainer/out/checkpoint-20/model.safetensors', `epoch_${epoch}.safetensors`);
  const [before] = await propose();
  expect(before!.question?.prompt).toContain('the batch size');
  writeFileSync(join(folder, 'train.py'), 'opt = torch.optim.SGD(p, lr=0.1)\nDataLoader(d, batch_size=20)\n');
  const [after] = await propose();
  expect(after!.checkpoints.map(({ step }) => step)).toEqual([12, 24]);
  expect(after!.question).toBeUndefined();
  expect(after!.parsed?.optimizer).toMatchObject({ batchSize: 20, learningRate: 0.1 });
});
