import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../../src/engine/config/config';
import { discover } from '../../../../src/engine/workspace/discover';
import { planRuns } from '../../../../src/engine/workspace/plan';
import { preprocessCandidates, propose, toProposal } from '../../../../src/engine/workspace/propose';
import type { Files } from '../../../../src/formats/bytes';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { fixtures } from '../../formats/files';

let folder: string;
/** The samples as training left them, without what using them has written there. */
let sample: string;

beforeAll(() => {
  sample = mkdtempSync(join(tmpdir(), 'whence-samples-'));
  const filter = (path: string) => !/\.whence$|whence[^/\\]*\.json$/.test(path);
  cpSync(fileURLToPath(new URL('../../../../sample', import.meta.url)), sample, { recursive: true, filter });
});
afterAll(() => rmSync(sample, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-propose-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The file system, and which files were opened. */
function watched(): { files: Files; opened: string[] } {
  const files = nodeFiles();
  const opened: string[] = [];
  return {
    opened,
    files: {
      ...files,
      open: (path) => {
        opened.push(path);
        return files.open(path);
      },
    },
  };
}

const proposeIn = async (root: string) => {
  const files = nodeFiles();
  return propose(await discover(root, files), files);
};

function put(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const copy = (from: string, to: string) => cpSync(join(fixtures, from), join(folder, to), { recursive: true });

describe('the samples', () => {
  test('fashion-mnist is set up without edits', async () => {
    const { files, opened } = watched();
    const root = join(sample, 'fashion-mnist');
    const [proposal, ...rest] = await propose(await discover(root, files), files);
    expect(rest).toEqual([]);
    expect(proposal).toMatchObject({ config: join(root, 'whence.json'), problems: [] });
    expect(proposal!.checkpoints.map(({ step }) => step)).toEqual([263, 527, 790, 1053, 1317, 1580]);
    expect(proposal!.splits.map(({ name, examples }) => [name, examples])).toEqual([
      ['train', 5000],
      ['test', 1000],
    ]);
    const { config, problems } = parseConfig(proposal!.text, proposal!.config);
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      model: 'model.onnx',
      checkpoints: 'checkpoints/step-*.safetensors',
      log: 'training-log.csv',
      data: {
        train: {
          format: 'idx',
          images: 'data/FashionMNIST/raw/train-images-idx3-ubyte.gz',
          labels: 'data/FashionMNIST/raw/train-labels-idx1-ubyte.gz',
        },
      },
      preprocess: { scale: 1 / 255, mean: 0.286, std: 0.353 },
      loss: 'cross-entropy',
      optimizer: { kind: 'sgd', momentum: 0.9 },
      segments: 1,
    });
    expect(config!.classes).toHaveLength(10);
    expect(config!.classes![9]).toBe('Ankle boot');
    expect(opened.filter((path) => path.includes('flipped'))).toEqual([]);
  });

  test('breast-cancer is set up without edits, its classes in the order of the outputs', async () => {
    const [proposal] = await proposeIn(join(sample, 'breast-cancer'));
    expect(proposal!.problems).toEqual([]);
    const { config, problems } = parseConfig(proposal!.text, proposal!.config);
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      data: { train: { format: 'csv', file: 'data/train.csv' }, test: { format: 'csv', file: 'data/test.csv' } },
      classes: ['malignant', 'benign'],
      preprocess: { standardize: true },
      optimizer: { kind: 'sgd', momentum: 0.9 },
    });
    expect(proposal!.text).toContain("// Read in train.py: the order of the model's outputs.");
  });

  test('both are found from the folder above, each with its own files', async () => {
    const proposals = await proposeIn(sample);
    expect(proposals.map(({ config }) => config)).toEqual([
      join(sample, 'breast-cancer', 'whence.json'),
      join(sample, 'fashion-mnist', 'whence.json'),
    ]);
  });
});

describe('a workspace', () => {
  test('without checkpoints has nothing to propose', async () => {
    put('notes.txt', 'hello');
    expect(await proposeIn(folder)).toEqual([]);
  });

  test('without a model says how to export one, without data what is missing', async () => {
    copy('mlp.safetensors', 'out/checkpoint-100/model.safetensors');
    copy('mlp.other.safetensors', 'out/checkpoint-50/model.safetensors');
    const [proposal] = await proposeIn(folder);
    expect(proposal).toMatchObject({ text: '', config: join(folder, 'out', 'whence.json') });
    expect(proposal!.checkpoints.map(({ step }) => step)).toEqual([50, 100]);
    expect(proposal!.problems.map(({ message }) => message)).toEqual([
      'No ONNX model found.',
      'No training data found.',
      'No test data found: there is nothing to ask about.',
    ]);
    expect(proposal!.problems[0]!.mend).toContain('torch.onnx.export(');
    for (const { mend } of proposal!.problems) expect(mend).toBeTruthy();
  });

  test('with several models takes the one that the checkpoints fit', async () => {
    copy('mlp.safetensors', 'checkpoints/step-10.safetensors');
    copy('mlp.safetensors', 'checkpoints/step-9.safetensors');
    copy('tokens.legacy.onnx', 'a.onnx');
    copy('mlp.legacy.onnx', 'b.onnx');
    put('train.csv', 'a,b,c,d,e,f,label\n1,2,3,4,5,6,0\n');
    put('val.jsonl', '{"x": [1,2,3,4,5,6], "label": 1}\n');
    const [proposal] = await proposeIn(folder);
    expect(proposal!.problems).toEqual([]);
    const { config } = parseConfig(proposal!.text, 'whence.json');
    expect(config).toMatchObject({
      model: 'b.onnx',
      checkpoints: 'checkpoints/step-*.safetensors',
      data: { train: { file: 'train.csv' }, validation: { format: 'jsonl', file: 'val.jsonl' } },
      optimizer: { kind: 'sgd', learningRate: 0.01 },
      segments: 1,
    });
    expect(proposal!.text).toContain('Guessed: which optimizer it was, the learning rate. Set what is true.');
  });

  test('whose data do not fit the model says so', async () => {
    copy('mlp.safetensors', 'checkpoints/step-10.safetensors');
    copy('mlp.legacy.onnx', 'model.onnx');
    put('train.csv', 'a,b,label\n1,2,0\n');
    const [proposal] = await proposeIn(folder);
    expect(proposal!.problems[0]!.message).toBe('Its examples have 2 features, the model takes 6.');
  });

  test('whose model does not fit the checkpoints names the misfit', async () => {
    copy('mlp.safetensors', 'checkpoints/step-10.safetensors');
    copy('cnn.legacy-preserved.onnx', 'model.onnx');
    const [proposal] = await proposeIn(folder);
    expect(proposal!.problems[0]).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('fc1.weight [4, 6]'),
    });
  });

  test('that is set up has nothing to propose, a second run beside it has', async () => {
    for (const run of ['a', 'b']) copy('mlp.safetensors', `runs/${run}/checkpoints/step-10.safetensors`);
    copy('mlp.legacy.onnx', 'model.onnx');
    put(
      'whence.json',
      '{ "model": "model.onnx", "checkpoints": ["runs/a/checkpoints/step-10.safetensors"], "log": "l.csv", "data": { "train": { "format": "csv", "file": "t.csv" } }, "optimizer": { "kind": "sgd" } }',
    );
    const [proposal, ...rest] = await proposeIn(folder);
    expect(rest).toEqual([]);
    expect(proposal!.checkpoints[0]!.file).toContain(join('runs', 'b'));
  });

  test('of two runs with one model gives each its own whence.json', async () => {
    for (const run of ['a', 'b']) copy('mlp.safetensors', `runs/${run}/checkpoints/step-10.safetensors`);
    copy('mlp.legacy.onnx', 'model.onnx');
    put('train.csv', 'a,b,c,d,e,f,label\n1,2,3,4,5,6,0\n');
    const proposals = await proposeIn(folder);
    expect(proposals.map(({ config }) => config)).toEqual(
      ['a', 'b'].map((run) => join(folder, 'runs', run, 'whence.json')),
    );
    expect(parseConfig(proposals[0]!.text, 'whence.json').config).toMatchObject({
      model: '../../model.onnx',
      checkpoints: ['checkpoints/step-10.safetensors'],
      data: { train: { file: '../../train.csv' } },
    });
  });

  test('with files that only look like checkpoints says how to save some', async () => {
    put('checkpoints/step-1.pt', 'no weights');
    const { problems } = await discover(folder, nodeFiles());
    expect(problems[0]).toMatchObject({ severity: 'warning', mend: expect.stringContaining('torch.save') });
  });

  test('is not searched where packages and environments lie', async () => {
    for (const skipped of ['node_modules', '.git', '.venv', '.whence', 'venv']) {
      copy('mlp.safetensors', `${skipped}/step-1.safetensors`);
    }
    expect((await discover(folder, nodeFiles())).checkpoints).toEqual([]);
    expect(readdirSync(folder)).toHaveLength(5);
  });

  test('that is no folder is the error', async () => {
    await expect(discover(join(folder, 'gone'), nodeFiles())).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('candidates of preprocessing', () => {
  test('begin with what the script says, and each gives a sound configuration', async () => {
    const files = nodeFiles();
    for (const name of ['fashion-mnist', 'breast-cancer']) {
      const [plan] = await planRuns(await discover(join(sample, name), files), files);
      const candidates = preprocessCandidates(plan!);
      expect(candidates[0]).toEqual(plan!.facts.preprocess);
      expect(new Set(candidates.map((one) => JSON.stringify(one))).size).toBe(candidates.length);
      expect(candidates.length).toBeGreaterThan(4);
      for (const preprocess of candidates) {
        const { text } = toProposal(plan!, files, { preprocess, reason: 'Agrees best with the log.' });
        const parsed = parseConfig(text, 'whence.json');
        expect(parsed.problems).toEqual([]);
        expect(parsed.config!.preprocess).toEqual(preprocess);
        expect(text).toContain('// Agrees best with the log.');
      }
    }
  });
});
