import { methodKeys } from './methodKeys';

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
  'data.*': { description: 'Where the examples of a split are.', example: { format: 'csv', file: 'train.csv' } },
  'data.*.format': { description: 'How the examples are stored: idx, csv, jsonl, npy and others.', example: 'csv' },
  'data.*.images': {
    description: 'The IDX file of images; may be gzipped.',
    example: 'data/train-images-idx3-ubyte.gz',
  },
  'data.*.labels': {
    description: 'The file of labels, for IDX and npy.',
    example: 'data/train-labels-idx1-ubyte.gz',
  },
  'data.*.file': {
    description:
      'The file of examples, one a row or line; of Parquet, Arrow and CIFAR also a list of the files that are its parts.',
    example: 'data/train.csv',
  },
  'data.*.folder': {
    description:
      'The folder of pictures (PNG, JPEG): one folder for each class, as ImageFolder of torchvision, or a table beside them that names files and labels.',
    example: 'data/train',
  },
  'data.*.label': {
    description:
      'The column or key of the label; in npz the name of its array, for CIFAR-100 fine or coarse. Default: one called label, target, class or y; in CSV else the last.',
    example: 'label',
  },
  'data.*.features': {
    description:
      'The columns that the model takes, in its order; in JSON Lines, Parquet and Arrow also the one key that holds an array; in npz the name of the array. Default: all but the label.',
    example: ['width', 'height'],
  },
  'data.*.examples': {
    description:
      'What the examples of a text are: its lines, blocks of the tokens of the whole file, or blocks of the tokens of its lines, a thousand lines at a time, as run_clm.py of transformers cuts them.',
    example: 'blocks',
    default: 'lines',
  },
  'data.*.blockLength': { description: 'Tokens of a block.', example: 128, default: 1024 },
  'data.*.lineBreaks': {
    description: 'For blocks of lines: whether each line keeps its line break.',
    example: false,
    default: true,
  },
  classes: {
    description:
      "The classes' names in the order of the model's outputs. Label names in the data are looked up here. Default: the names in the training data, sorted.",
    example: ['cat', 'dog'],
  },
  preprocess: {
    description:
      'What the training script did to raw features, in this order whatever that of the keys: channels, resize, crop, transpose, layout, then (x * scale - mean) / std, or standardize.',
    example: { scale: 0.00392156862745098, mean: 0.286, std: 0.353 },
    default: {},
  },
  'preprocess.channels': {
    description:
      'The colours of pictures: rgb, bgr (as OpenCV reads them) or grey. Default: rgb for pictures in files; else what the data hold.',
    example: 'rgb',
  },
  'preprocess.resize': {
    description:
      'Pictures are resized as PIL and torchvision do: the length of the shorter side, or [height, width]. Name what evaluation did: random augmentation of training cannot be replayed.',
    example: 256,
  },
  'preprocess.interpolation': {
    description: 'How pictures are resized: nearest, box, bilinear, hamming, bicubic or lanczos.',
    example: 'bicubic',
    default: 'bilinear',
  },
  'preprocess.crop': {
    description:
      'What is cut out of the middle after resizing, as CenterCrop of torchvision: the side of a square, or [height, width].',
    example: 224,
  },
  'preprocess.transpose': { description: 'Rows and columns of pictures change places.', example: true, default: false },
  'preprocess.layout': {
    description:
      'Where the model has its channels: chw (first, as PyTorch) or hwc (last). Default: chw for pictures in files; else as the data have them.',
    example: 'chw',
  },
  'preprocess.scale': {
    description: 'Factor before all else. 0.00392156862745098 is 1/255: bytes to 0..1.',
    example: 0.00392156862745098,
    default: 1,
  },
  'preprocess.mean': {
    description: 'Subtracted after scaling: one number, or one for each channel or column.',
    example: 0.286,
    default: 0,
  },
  'preprocess.std': {
    description: 'Divided by at last: one number, or one for each channel or column.',
    example: 0.353,
    default: 1,
  },
  'preprocess.standardize': {
    description: 'Each column minus its mean, over its (population) standard deviation, both of the training split.',
    example: true,
    default: false,
  },
  'preprocess.tokenizer': {
    description: 'How texts became token ids.',
    example: { file: 'tokenizer.json', maxLength: 128 },
  },
  'preprocess.tokenizer.file': {
    description: 'A tokenizer.json, as tokenizer.save_pretrained of transformers writes it.',
    example: 'tokenizer.json',
  },
  'preprocess.tokenizer.maxLength': {
    description:
      'Tokens of an example at most, special ones included. Default: what tokenizer.json says, else all of them.',
    example: 128,
  },
  'preprocess.tokenizer.truncation': {
    description: 'Which end of longer examples is cut off: right or left.',
    example: 'left',
    default: 'right',
  },
  'preprocess.tokenizer.padding': {
    description: 'How long shorter examples are filled up: as the longest of all, or max (to maxLength).',
    example: 'max',
    default: 'longest',
  },
  'preprocess.tokenizer.addSpecialTokens': {
    description: "Whether the tokenizer's template ([CLS] ... [SEP]) is filled.",
    example: false,
    default: true,
  },
  'preprocess.tokenizer.endToken': {
    description: 'A token that training put after every text.',
    example: '<|endoftext|>',
  },
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
    default: 3,
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
