import type { ConfigKey } from './configKeys';

/** Keys of one split of `data`. */
export const dataKeys = {
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
} as const satisfies Readonly<Record<string, ConfigKey>>;
