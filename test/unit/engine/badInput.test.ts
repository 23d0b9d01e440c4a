import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { encodeModel } from '../../../src/onnx/encode';
import type { Tensor } from '../../../src/onnx/runtime';
import type { ErrorCode } from '../../../src/protocol/errors';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { modelOf, node, perceptron, type TinyModel } from '../../support/tinyModel';
import { makeTinyRun, type TinyRun, weightsAt, writeCheckpoint } from '../../support/tinyRun';

/** What is done to a run, what its user is told, and (where it isn't the file as it was) what mends it. */
interface BadInput {
  readonly name: string;
  /** The file at fault, as seen from the run's folder. */
  readonly file: string;
  readonly spoil: (path: string, run: TinyRun) => Promise<void>;
  readonly code: ErrorCode;
  /** In the message, the place or the mend. */
  readonly says: RegExp;
}

const last = 'checkpoints/step-100.safetensors';

async function edit(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}

const editText = (path: string, change: (text: string) => string) =>
  edit(path, (bytes) => Buffer.from(change(bytes.toString())));

/** Rewrites the JSON header of a .safetensors file, its length kept. */
const editHeader = (path: string, from: string, to: string) =>
  edit(path, (bytes) => {
    const length = Number(bytes.readBigUInt64LE(0));
    const header = bytes.toString('latin1', 8, 8 + length);
    expect(header).toContain(from);
    bytes.write(header.replace(from, to).padEnd(length).slice(0, length), 8, 'latin1');
    return bytes;
  });

async function changeTensor(path: string, name: string, change: (tensor: Tensor) => Tensor | undefined): Promise<void> {
  const tensors = weightsAt(perceptron, 100);
  const changed = change(tensors.get(name)!);
  if (changed) tensors.set(name, changed);
  else tensors.delete(name);
  await writeCheckpoint(path, tensors);
}

const writeModel = (path: string, model: TinyModel) => writeFile(path, encodeModel(modelOf(model)));
const setConfig = (path: string, { settings }: TinyRun, change: object) =>
  writeFile(path, JSON.stringify({ ...settings, ...change }));

const checkpoints: BadInput[] = [
  {
    name: 'a checkpoint cut off in its tensors',
    file: last,
    spoil: (path) => truncate(path, 400),
    code: 'truncated-file',
    says: /400 bytes/,
  },
  {
    name: 'a checkpoint cut off in its header',
    file: last,
    spoil: (path) => truncate(path, 60),
    code: 'truncated-file',
    says: /header/,
  },
  {
    name: 'an empty checkpoint',
    file: last,
    spoil: (path) => truncate(path, 0),
    code: 'truncated-file',
    says: /0 bytes|empty/,
  },
  {
    name: 'a checkpoint before the last one cut off',
    file: 'checkpoints/step-20.safetensors',
    spoil: (path) => truncate(path, 400),
    code: 'truncated-file',
    says: /tensor/,
  },
  {
    name: 'a header that promises a larger tensor than there is room for',
    file: last,
    spoil: (path) => editHeader(path, '"shape":[5,4]', '"shape":[5,9]'),
    code: 'malformed-file',
    says: /fc1\.weight/,
  },
  {
    name: 'a header whose tensors overlap',
    file: last,
    spoil: (path) => editHeader(path, '"data_offsets":[20,100]', '"data_offsets":[10, 90]'),
    code: 'malformed-file',
    says: /overlaps/,
  },
  {
    name: 'a header longer than any file',
    file: last,
    spoil: (path) =>
      edit(path, (bytes) => {
        bytes.writeBigUInt64LE(2n ** 62n, 0);
        return bytes;
      }),
    code: 'malformed-file',
    says: /header/,
  },
  {
    name: 'a NaN among the weights',
    file: last,
    spoil: (path) =>
      changeTensor(path, 'fc2.weight', (tensor) => {
        (tensor.data as Float32Array)[7] = Number.NaN;
        return tensor;
      }),
    code: 'not-finite',
    says: /tensor fc2\.weight, element 7/,
  },
  {
    name: 'an infinite weight in an early checkpoint',
    file: 'checkpoints/step-10.safetensors',
    spoil: (path) =>
      changeTensor(path, 'fc1.bias', (tensor) => {
        (tensor.data as Float32Array)[0] = Number.POSITIVE_INFINITY;
        return tensor;
      }),
    code: 'not-finite',
    says: /tensor fc1\.bias, element 0/,
  },
  {
    name: 'a last checkpoint of another net',
    file: last,
    spoil: (path) =>
      changeTensor(path, 'fc1.weight', () => ({ dtype: 'float32', dims: [7, 4], data: new Float32Array(28) })),
    code: 'binding-failed',
    says: /fc1\.weight/,
  },
  {
    name: 'an early checkpoint of another net',
    file: 'checkpoints/step-10.safetensors',
    spoil: (path) =>
      changeTensor(path, 'fc1.weight', () => ({ dtype: 'float32', dims: [7, 4], data: new Float32Array(28) })),
    code: 'binding-failed',
    says: /fc1\.weight has the shape \[7, 4\]; the model wants \[5, 4\]/,
  },
  {
    name: 'a checkpoint that lacks a tensor',
    file: 'checkpoints/step-20.safetensors',
    spoil: (path) => changeTensor(path, 'fc2.bias', () => undefined),
    code: 'binding-failed',
    says: /fc2\.bias is missing/,
  },
  {
    name: 'weights of whole numbers',
    file: 'checkpoints/step-20.safetensors',
    spoil: (path) =>
      changeTensor(path, 'fc2.bias', () => ({ dtype: 'int32', dims: [3], data: Int32Array.of(1, 2, 3) })),
    code: 'unsupported-dtype',
    says: /fc2\.bias/,
  },
];

const data: BadInput[] = [
  { name: 'an empty data file', file: 'train.csv', spoil: (path) => truncate(path, 0), code: 'empty-data', says: /./ },
  {
    name: 'a data file with a header alone',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => `${text.split('\n')[0]}\n`),
    code: 'empty-data',
    says: /no examples|no rows/,
  },
  {
    name: 'a label out of range',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/,1\n/, ',3\n')),
    code: 'label-out-of-range',
    says: /line 3[\s\S]*label 3, but the model has the classes 0 to 2/,
  },
  {
    name: 'a label out of range in the test data',
    file: 'test.csv',
    spoil: (path) => editText(path, (text) => text.replace(/,1\n/, ',-1\n')),
    code: 'label-out-of-range',
    says: /line 3/,
  },
  {
    name: 'a training row without a label',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/,2\n/, ',\n')),
    code: 'label-out-of-range',
    says: /line 4[\s\S]*no label/,
  },
  {
    name: 'a feature that is no number',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/\n[^,]*/, '\nnan')),
    code: 'not-finite',
    says: /line 2/,
  },
  {
    name: "examples that don't fit the model's input",
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/^x0,/, '').replaceAll(/\n[^,\n]+,/g, '\n')),
    code: 'shape-mismatch',
    says: /\[3\].*\[4\]/,
  },
];

const models: BadInput[] = [
  {
    name: 'an op without a gradient rule',
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, {
        ...perceptron,
        nodes: perceptron.nodes.map((one) => (one.op === 'Relu' ? { ...one, op: 'Hardmax' } : one)),
      }),
    code: 'unsupported-op',
    says: /node node_active[\s\S]*Hardmax/,
  },
  {
    name: 'a model of two inputs',
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, { ...perceptron, inputs: [{ name: 'mask', dtype: 'float32', dims: ['batch', 4] }] }),
    code: 'shape-mismatch',
    says: /x \(float32\), mask \(float32\)/,
  },
  {
    name: 'a float16 model',
    file: 'model.onnx',
    spoil: async (path) => {
      const model = modelOf(perceptron);
      const inputs = [{ name: 'x', dtype: 'float16' as const, dims: ['batch', 4] }];
      await writeFile(path, encodeModel({ ...model, graph: { ...model.graph, inputs } }));
    },
    code: 'shape-mismatch',
    says: /x \(float16\)/,
  },
  {
    name: "a model whose nodes don't fit together",
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, {
        ...perceptron,
        nodes: perceptron.nodes.map((one) => (one.op === 'Gemm' ? { ...one, attributes: {} } : one)),
      }),
    code: 'runtime-failed',
    says: /./,
  },
  {
    name: 'a model cut off',
    file: 'model.onnx',
    spoil: (path) => truncate(path, 300),
    code: 'malformed-file',
    says: /./,
  },
  {
    name: 'an output that is no row an example',
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, {
        ...perceptron,
        nodes: [
          ...perceptron.nodes.slice(0, 2),
          node('Gemm', ['active', 'fc2.weight', 'fc2.bias'], 'table', { transB: 1 }),
          node('ReduceSum', ['table'], 'logits', { keepdims: 0 }),
        ],
      }),
    code: 'shape-mismatch',
    says: /output logits/,
  },
];

const configs: BadInput[] = [
  {
    name: 'a whence.json that is no JSON',
    file: 'whence.json',
    spoil: (path) => editText(path, (text) => text.slice(0, -20)),
    code: 'config-invalid',
    says: /character \d+/,
  },
  {
    name: 'a setting of the wrong type',
    file: 'whence.json',
    spoil: (path, run) => setConfig(path, run, { optimizer: { kind: 'sgd', learningRate: 'fast' } }),
    code: 'config-invalid',
    says: /character \d+/,
  },
  {
    name: 'checkpoints that are not there',
    file: '',
    spoil: (path, run) => setConfig(join(path, 'whence.json'), run, { checkpoints: 'epoch-*.safetensors' }),
    code: 'not-found',
    says: /epoch-\*\.safetensors/,
  },
  {
    name: 'a model that is not there',
    file: 'model.onnx',
    spoil: (path) => rename(path, `${path}.away`),
    code: 'not-found',
    says: /./,
  },
  {
    name: 'a segment without checkpoints',
    file: 'whence.json',
    spoil: (path, run) => setConfig(path, run, { segments: [5, 100] }),
    code: 'config-invalid',
    says: /segments[\s\S]*Segment 1 \(steps 0 to 5\) holds no checkpoint/,
  },
  {
    name: 'no learning rate anywhere',
    file: 'whence.json',
    spoil: (path, run) => setConfig(path, run, { optimizer: { kind: 'sgd' } }),
    code: 'config-invalid',
    says: /learningRate/,
  },
];

let engine: EngineHandlers;
const folders: string[] = [];
beforeAll(async () => {
  engine = createEngine(await testHost());
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function tinyRun(): Promise<TinyRun> {
  const run = await makeTinyRun();
  folders.push(run.folder);
  return run;
}

const attribute = ({ config }: TinyRun) =>
  engine.attribute({ config, query: { split: 'test', index: 0 }, method: 'source', top: 3 }, quietContext());

/** What lies in the store is whole files only, whatever went wrong. */
async function expectNothingHalf({ folder }: TinyRun): Promise<void> {
  const stored = await readdir(join(folder, '.whence')).catch(() => []);
  expect(stored.filter((name) => !/^(\.gitignore|[a-z]+-[0-9a-f]{32}\.safetensors)$/.test(name))).toEqual([]);
}

describe.for([...checkpoints, ...data, ...models, ...configs])('$name', ({ file, spoil, code, says }) => {
  test('is refused by file and place, and no longer when mended', async () => {
    const run = await tinyRun();
    const path = join(run.folder, file);
    const sound = file === '' ? undefined : await readFile(path);
    await spoil(path, run);
    const error = await failure(attribute(run));
    expect({ code: error.code, text: error.describe() }).toEqual({ code, text: expect.stringMatching(says) });
    expect(error.details.file).toBe(path.replace(/\/$/, ''));
    expect(error.details.mend ?? 'no mend').toMatch(/^[A-Z].*\.$/s);
    await expectNothingHalf(run);
    // A folder's inspection lists the run whatever its state.
    const { runs } = await engine.inspect({ folder: run.folder }, quietContext());
    expect(runs.map(({ config }) => config)).toEqual([run.config]);
    if (sound) await writeFile(path, sound);
    else await writeFile(run.config, JSON.stringify(run.settings));
    expect((await attribute(run)).examples).toBe(30);
  });
});

describe('a run that worked before', () => {
  test('is refused when a checkpoint is damaged, and works when it is back', async () => {
    const run = await tinyRun();
    const before = await attribute(run);
    const path = join(run.folder, last);
    const sound = await readFile(path);
    await truncate(path, 400);
    expect((await failure(attribute(run))).details.file).toBe(path);
    await writeFile(path, sound);
    expect((await attribute(run)).towards).toEqual(before.towards);
  });

  test('does not keep others waiting when it fails', async () => {
    const [broken, sound] = [await tinyRun(), await tinyRun()];
    await truncate(join(broken.folder, last), 100);
    const [first, second] = await Promise.allSettled([attribute(broken), attribute(sound)]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
  });
});

/** Rights do not bind a superuser: then the effective user is changed for the time of the act. */
async function asOrdinaryUser<T>(act: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return act();
  process.seteuid!(65534);
  try {
    return await act();
  } finally {
    process.seteuid!(0);
  }
}

describe.skipIf(process.platform === 'win32')('rights', () => {
  test.for(['checkpoints', 'whence.json', 'train.csv', '.whence'])(
    'without them %s is refused by name',
    async (name) => {
      const run = await tinyRun();
      await chmod(run.folder, 0o755);
      const path = join(run.folder, name);
      if (name === '.whence') await mkdir(path);
      await chmod(path, 0o000);
      const error = await asOrdinaryUser(() => failure(attribute(run)));
      expect(error.code).toBe('unreadable');
      expect(error.details.file!.startsWith(path)).toBe(true);
      expect(error.details.mend).toMatch(/rights/);
      await chmod(path, name.includes('.csv') || name.includes('.json') ? 0o644 : 0o755);
      expect((await attribute(run)).examples).toBe(30);
    },
  );
});

describe('a full disk', () => {
  test('is said by name, leaves nothing half-written, and is over when there is room', async (context) => {
    const run = await tinyRun();
    const store = join(run.folder, '.whence');
    await mkdir(store);
    try {
      // Room for one page: the stages do not fit.
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', store], { stdio: 'ignore' });
    } catch {
      context.skip('a real full disk needs the right to mount a file system');
      return;
    }
    try {
      const error = await failure(attribute(run));
      expect(error.code).toBe('disk-full');
      expect(error.details.file!.startsWith(store)).toBe(true);
      expect(error.details.mend).toMatch(/[Ff]ree/);
      await expectNothingHalf(run);
      const again = await failure(attribute(run));
      expect(again.code).toBe('disk-full');
    } finally {
      execFileSync('umount', [store]);
    }
    expect((await attribute(run)).examples).toBe(30);
  });
});
