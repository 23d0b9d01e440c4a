import type { Example, Influence, TrainingRun } from '../../../src/protocol/model';

const classes = ['T-shirt/top', '<b>Shirt</b> & "co"', 'Bag'];

function image(split: string, index: number, label: number): Example {
  const pixels = Uint8Array.from({ length: 16 }, (_, i) => i * 16);
  const preview = { kind: 'image' as const, width: 4, height: 4, channels: 1 as const, pixels };
  return { id: { split, index }, label, location: { file: `/data/${split}-images.gz`, index }, preview };
}

/** A run and an influence with awkward names, as the command line gets them from the engine. */
export const run: TrainingRun = {
  config: '/data/whence.json',
  name: 'mlp',
  folder: '/data',
  model: '/data/model.onnx',
  checkpoints: [{ file: '/data/step-10.safetensors', step: 10, learningRate: 0.1, trainingLoss: 0.5 }],
  splits: [
    { name: 'train', format: 'idx', files: ['/data/train-images.gz'], examples: 100 },
    { name: 'test', format: 'idx', files: ['/data/test-images.gz'], examples: 20 },
  ],
  classes,
  optimizer: 'SGD, momentum 0.9',
  loss: 'cross-entropy',
  segments: [
    { from: 0, to: 10, totalLearningRate: 1, checkpoints: [10] },
    { from: 10, to: 20, totalLearningRate: 1, checkpoints: [20] },
  ],
  problems: [],
};

export const influence: Influence = {
  run: '/data/whence.json',
  query: {
    ...image('test', 17, 0),
    prediction: { predicted: 1, confidence: 0.872, loss: 2.1, probabilities: [0.1, 0.872, 0.028] },
  },
  method: 'source',
  measurement: { kind: 'margin', target: 1 },
  towards: [
    { example: image('train', 40, 1), score: 0.0841, bySegment: [0.1, -0.0159] },
    { example: image('train', 7, 1), score: 0.0662, bySegment: [0.06, 0.0062] },
  ],
  away: [{ example: image('train', 3, 0), score: -0.0483, bySegment: [-0.04, -0.0083] }],
  byClass: [],
  segments: run.segments,
  examples: 100,
  hash: 'abc',
  seconds: 0.42,
};
