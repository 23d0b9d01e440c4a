import { dataKeys } from './dataKeys';
import { methodKeys } from './methodKeys';
import { preprocessKeys } from './preprocessKeys';

/** What a key of `whence.json` means: shown on hover and completion, and quoted in what mends a problem. */
export interface ConfigKey {
  readonly description: string;
  readonly example: unknown;
  readonly default?: unknown;
}

/** Every key, by its path; `*` stands for the name of a split. */
export const configKeys = {
  $schema: { description: 'The schema of this file, for editors.', example: './whence.schema.json' },
  name: { description: 'What the run is called in lists. Default: the name of its folder.', example: 'mlp, seed 0' },
  model: {
    description: 'The ONNX export of the network in evaluation mode. Paths are relative to this file.',
    example: 'model.onnx',
  },
  checkpoints: {
    description:
      "The run's checkpoints: a path with one *, or a list of paths. They are ordered by the step in their names. The last one is the model whose predictions are attributed.",
    example: 'checkpoints/step-*.safetensors',
  },
  log: {
    description: 'A CSV file with the columns step, learning_rate (or lr) and, if there, loss.',
    example: 'training-log.csv',
  },
  data: {
    description: "The run's data by split: `train` and at least one more, such as `test`.",
    example: { train: { format: 'csv', file: 'train.csv' }, test: { format: 'csv', file: 'test.csv' } },
  },
  ...dataKeys,
  classes: {
    description:
      "The classes' names in the order of the model's outputs. Label names in the data are looked up here. Default: the names in the training data, sorted.",
    example: ['cat', 'dog'],
  },
  ...preprocessKeys,
  inputs: {
    description: "Which keys of the data fill the model's inputs, where they are not called alike.",
    example: { input_ids: 'tokens' },
    default: {},
  },
  'inputs.*': { description: 'The key of the data that fills this input.', example: 'tokens' },
  loss: {
    description:
      'The loss that training minimised: cross-entropy, next-token (of language models), binary-cross-entropy (with logits), squared-error, absolute-error; or an object with its kind and settings.',
    example: 'cross-entropy',
    default: 'cross-entropy',
  },
  'loss.kind': { description: 'The loss, or custom: a graph of your own.', example: 'cross-entropy' },
  'loss.labelSmoothing': {
    description: 'The share of the target that was spread over all classes, as label_smoothing in PyTorch.',
    example: 0.1,
    default: 0,
  },
  'loss.classWeights': { description: "Each class's weight in the loss, as weight in PyTorch.", example: [1, 5] },
  'loss.ignoreIndex': { description: 'A token label that does not count. Negative ones never do.', example: -100 },
  'loss.model': {
    description: 'For custom: an ONNX graph that takes logits and target and returns a loss for every example.',
    example: 'loss.onnx',
  },
  optimizer: {
    description: 'How the weights were updated.',
    example: { kind: 'sgd', momentum: 0.9 },
  },
  'optimizer.kind': { description: 'The optimizer: sgd, adam or adamw.', example: 'sgd' },
  'optimizer.learningRate': {
    description: 'The constant learning rate of a run without a log.',
    example: 0.01,
  },
  'optimizer.momentum': { description: 'Heavy-ball momentum, from 0 to below 1.', example: 0.9, default: 0 },
  'optimizer.nesterov': { description: "Whether the momentum is Nesterov's.", example: true, default: false },
  'optimizer.weightDecay': {
    description: "The optimizer's weight_decay: L2 regularisation for sgd and adam, decoupled for adamw.",
    example: 0.0005,
    default: 0,
  },
  'optimizer.betas': {
    description: "Adam's decay rates of the first and second moments.",
    example: [0.9, 0.999],
    default: [0.9, 0.999],
  },
  'optimizer.epsilon': { description: "Adam's epsilon.", example: 1e-8, default: 1e-8 },
  'optimizer.batchSize': {
    description:
      "Examples of one update, over all devices and accumulated gradients. Adam's second moments depend on it where no checkpoint holds them.",
    example: 64,
  },
  'optimizer.groups': {
    description: 'Parameters that were updated otherwise than the rest.',
    example: [{ parameters: ['head.*'], learningRateScale: 10 }],
    default: [],
  },
  'optimizer.groups.parameters': {
    description: "Names of the checkpoints' tensors; each may hold *.",
    example: ['*.bias'],
  },
  'optimizer.groups.learningRateScale': {
    description: "The group's learning rate over the run's own.",
    example: 10,
    default: 1,
  },
  'optimizer.groups.weightDecay': { description: "The group's weight decay. Default: the optimizer's.", example: 0 },
  stages: {
    description:
      'For trainings that went on with other data, another loss or optimizer, as pre-training and fine-tuning do: the stages in their order. Segments never cross a stage.',
    example: [
      { until: 1000, train: 'first' },
      { until: 1500, train: 'second' },
    ],
  },
  'stages.name': { description: 'What the stage is called.', example: 'fine-tuning' },
  'stages.until': {
    description: 'The last step of the stage, counted from the beginning of the first.',
    example: 1000,
  },
  'stages.train': {
    description: 'The split of `data` that the stage was trained on.',
    example: 'second',
    default: 'train',
  },
  sites: {
    description:
      'Layers that scores cover beside Linear and convolution: embeddings (of up to 4,096 rows), normalizations.',
    example: ['embeddings'],
    default: [],
  },
  segments: {
    description:
      'How many segments of equal total learning rate training is cut into, or the steps at which each ends, rising.',
    example: 3,
    default: 1,
  },
  fisher: {
    description:
      'How the curvature samples labels: exact (over all classes), sampled (from the predictions) or empirical. Default: exact up to 20 classes, else sampled.',
    example: 'exact',
  },
  seed: { description: 'Seed of sampled labels.', example: 0, default: 0 },
  device: {
    description: 'auto, or an execution provider of onnxruntime: cpu, cuda, webgpu, dml, coreml.',
    example: 'auto',
    default: 'auto',
  },
  memory: {
    description:
      'Megabytes of memory that the computation may take: batches, curvature and kept gradients are sized to it. The setting whence.memoryBudget and --memory come first.',
    example: 4096,
    default: 2048,
  },
  ...methodKeys,
  retrain: {
    description: 'How `whence retrain` trains the run anew on a part of its data. Nothing runs but by that command.',
    example: { command: ['python', 'train.py', '--subset', '{subset}', '--seed', '{seed}', '--out', '{out}'] },
  },
  'retrain.command': {
    description:
      'A program with its arguments, or a line for the shell, run in the folder of this file. {subset} is the file of the training examples to be used, by their indices from 0, {seed} the seed, {out} the folder to write to; the environment has them as WHENCE_SUBSET, WHENCE_SEED and WHENCE_OUT, and WHENCE_QUERIES is the file of what is to be measured.',
    example: ['python', 'train.py', '--subset', '{subset}', '--seed', '{seed}', '--out', '{out}'],
  },
  'retrain.subset': {
    description: 'The format of the subset file: txt (an index a line), json (a list) or npy (int64).',
    example: 'npy',
    default: 'txt',
  },
  'retrain.checkpoint': {
    description:
      "The final checkpoint that training leaves, as seen from {out}; with one * the one of the last step. Default: like the run's own.",
    example: 'checkpoints/step-*.safetensors',
  },
  'retrain.results': {
    description:
      'Where training measures the queries itself: the JSON file in {out} that it writes, { "values": [...] }, larger where a query does better, or { "losses": [...] }.',
    example: 'results.json',
  },
  'retrain.seed': { description: 'The first seed; the others follow from it.', example: 1, default: 1 },
  'retrain.parallel': { description: 'How many trainings run at a time. Default: half the cores.', example: 2 },
  'retrain.timeout': {
    description: 'Seconds after which a training is ended. Default: it may take as long as it likes.',
    example: 3600,
  },
} as const satisfies Readonly<Record<string, ConfigKey>>;

export type ConfigPath = keyof typeof configKeys;

/** The entry for a place in the file: numbers are list positions, the second part under `data` a split's name. */
export function configKeyAt(path: readonly PropertyKey[]): (ConfigKey & { readonly name: string }) | undefined {
  const parts = path.filter((part) => typeof part !== 'number').map(String);
  if ((parts[0] === 'data' || parts[0] === 'inputs') && parts.length > 1) parts[1] = '*';
  const key = parts.join('.');
  return Object.hasOwn(configKeys, key) ? { ...configKeys[key as ConfigPath], name: key } : undefined;
}

/** Names that may stand in the object at a place. */
export function keysUnder(path: readonly PropertyKey[]): readonly string[] {
  const parent = path.length === 0 ? '' : `${configKeyAt(path)?.name}.`;
  return Object.keys(configKeys).flatMap((key) => {
    const rest = key.startsWith(parent) ? key.slice(parent.length) : '';
    return rest !== '' && rest !== '*' && !rest.includes('.') ? [rest] : [];
  });
}
