import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How `whence.json` describes the oracle's kind of run: FashionMNIST, SGD with momentum, exact Fisher. */
export const fashionConfig = {
  model: 'model.onnx',
  checkpoints: 'checkpoints/step-*.safetensors',
  log: 'training-log.csv',
  data: {
    train: {
      format: 'idx',
      images: 'data/FashionMNIST/raw/train-images-idx3-ubyte.gz',
      labels: 'data/FashionMNIST/raw/train-labels-idx1-ubyte.gz',
    },
    test: {
      format: 'idx',
      images: 'data/FashionMNIST/raw/t10k-images-idx3-ubyte.gz',
      labels: 'data/FashionMNIST/raw/t10k-labels-idx1-ubyte.gz',
    },
  },
  preprocess: { scale: 1 / 255, mean: 0.286, std: 0.353 },
  optimizer: { kind: 'sgd', momentum: 0.9 },
  segments: 3,
  fisher: 'exact',
};

/** A fresh copy of the sample without any finished stage. */
export async function copySample(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-bench-'));
  for (const part of ['model.onnx', 'checkpoints', 'training-log.csv', 'data']) {
    await cp(join('sample/fashion-mnist', part), join(folder, part), { recursive: true });
  }
  await writeFile(join(folder, 'whence.json'), JSON.stringify(fashionConfig));
  return folder;
}
