import { copyFile, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readNpy } from '../src/formats/npy';
import { nodeFiles } from '../src/worker/nodeFiles';

/** An array of an oracle's .npy file, as numbers. */
export async function readArray(path: string): Promise<{ dims: readonly number[]; values: Float64Array }> {
  const { dims, data } = await readNpy(await nodeFiles().open(path));
  return { dims, values: Float64Array.from(data as ArrayLike<number | bigint>, Number) };
}

/**
 * Lays the oracle's run out as a user would have it: its checkpoints, its 5,000 training and 1,000 evaluation images taken
 * from the full set, and a log of its constant learning rate. Its
 * `whence.json` is the caller's to write.
 */
export async function layOutOracle(oracle: string, fullSet: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-oracle-'));
  const base = join(oracle, 'base');
  const raw = join(folder, 'data/FashionMNIST/raw');
  await mkdir(raw, { recursive: true });
  await mkdir(join(folder, 'checkpoints'));
  await copyFile(join(base, 'model.onnx'), join(folder, 'model.onnx'));
  const meta = JSON.parse(await readFile(join(base, 'meta.json'), 'utf8')) as {
    checkpoint_steps: number[];
    lr: number;
  };
  for (const [index, step] of meta.checkpoint_steps.entries()) {
    const name = `ckpt_${index + 1}_step${step}.safetensors`;
    await copyFile(join(base, name), join(folder, 'checkpoints', `step-${step}.safetensors`));
  }
  for (const [split, indices] of [
    ['train', 'train_indices'],
    ['t10k', 'eval_indices'],
  ] as const) {
    const { values } = await readArray(join(base, `${indices}.npy`));
    for (const [kind, header, width] of [
      ['images-idx3', 16, 784],
      ['labels-idx1', 8, 1],
    ] as const) {
      const name = `${split}-${kind}-ubyte.gz`;
      const full = gunzipSync(await readFile(join(fullSet, name)));
      const head = Buffer.from(full.subarray(0, header));
      head.writeUInt32BE(values.length, 4);
      const rows = Array.from(values, (index) => full.subarray(header + index * width, header + (index + 1) * width));
      await writeFile(join(raw, name), gzipSync(Buffer.concat([head, ...rows]), { level: 1 }));
    }
  }
  await writeFile(join(folder, 'training-log.csv'), `step,learning_rate,loss\n1,${meta.lr},2.3\n`);
  return folder;
}
