import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type {
  Example,
  Influence,
  InfluentialExample,
  PredictedExample,
  Preview,
  Segment,
} from '../../src/protocol/model';
import type { InfluenceResult } from '../../src/protocol/viewApi';

/** Snapshots as the host would send them, made from the sample workspaces' real data. */

const data = 'sample/fashion-mnist/data/FashionMNIST/raw';

export const classes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

function readIdx(file: string, header: number): Buffer {
  return gunzipSync(readFileSync(`${data}/${file}`)).subarray(header);
}

const images = readIdx('t10k-images-idx3-ubyte.gz', 16);
export const labels: readonly number[] = [...readIdx('t10k-labels-idx1-ubyte.gz', 8)];

export function image(index: number): Preview {
  const pixels = new Uint8Array(images.subarray(index * 784, (index + 1) * 784));
  return { kind: 'image', width: 28, height: 28, channels: 1, pixels };
}

/** Positions of a class's images in the sample's test file. */
function indicesOf(label: number): readonly number[] {
  return labels.flatMap((other, index) => (other === label ? [index] : []));
}

export function text(words: string): Preview {
  return { kind: 'text', text: words };
}

export function tableRow(line: number): Preview {
  const lines = readFileSync('sample/breast-cancer/data/test.csv', 'utf8').split('\n');
  return { kind: 'row', columns: lines[0]?.split(',') ?? [], values: lines[line]?.split(',') ?? [] };
}

export const segments: readonly Segment[] = [
  { from: 0, to: 527, totalLearningRate: 52.7, checkpoints: [0, 1] },
  { from: 527, to: 1053, totalLearningRate: 52.6, checkpoints: [2, 3] },
  { from: 1053, to: 1580, totalLearningRate: 52.7, checkpoints: [4, 5] },
];

const scores = [0.0842, 0.0661, 0.0523, 0.0481, 0.0467, 0.0402, 0.0377, 0.0311, 0.0298, 0.0255];

function influential(index: number, score: number, preview: Preview, label: number): InfluentialExample {
  const bySegment = [score * 0.15, score * 1.1, score * -0.25];
  return { example: { ...example(index, preview, label), id: { split: 'train', index } }, score, bySegment };
}

function example(index: number, preview: Preview, label: number): Example {
  return {
    id: { split: 'test', index },
    label,
    location: { file: `/home/mira/fashion/${data}/t10k-images-idx3-ubyte.gz`, index },
    preview,
  };
}

export interface InfluenceOptions {
  readonly preview?: (index: number) => Preview;
  readonly classes?: readonly string[];
  readonly labels?: readonly number[];
  readonly influence?: Partial<Influence>;
}

/** A wrong prediction: a pullover taken for a shirt, or the first of two classes for the second. */
export function influenceResult(options: InfluenceOptions = {}): InfluenceResult {
  const preview = options.preview ?? image;
  const names = options.classes ?? classes;
  const [given, predicted, other] = names.length > 6 ? ([2, 6, 4] as const) : ([0, 1, 0] as const);
  const query: PredictedExample = {
    ...example(127, preview(indicesOf(given)[12] ?? 0), given),
    prediction: {
      predicted,
      confidence: 0.914,
      loss: 2.81,
      probabilities: names.map((_, label) => (label === predicted ? 0.914 : label === given ? 0.06 : 0.026 / 8)),
    },
  };
  const list = (sign: 1 | -1, mainLabel: number) =>
    scores.map((score, rank) => {
      const label = rank === 3 ? other : mainLabel;
      const picture = preview(indicesOf(label)[rank] ?? 0);
      return influential(rank * 401 + 17, sign * score * (sign < 0 ? 0.7 : 1), picture, label);
    });
  return {
    runName: 'fashion-mnist',
    classes: names,
    labels: options.labels ?? [],
    influence: {
      run: '/home/mira/fashion/whence.json',
      query,
      method: 'source',
      measurement: { kind: 'margin', target: predicted },
      towards: list(1, predicted),
      away: list(-1, given),
      byClass: names.map((_, label) => ({
        label,
        examples: 480 + label,
        towards: label === predicted ? 6.1 : 3.9 / (names.length - 1),
        away: label === given ? -3 : -2 / (names.length - 1),
      })),
      segments,
      examples: 5000,
      hash: 'c0ffee',
      seconds: 0.16,
      ...options.influence,
    },
  };
}
