import type { ConfigKey } from './configKeys';

/** `preprocess` and its keys, in the order in which they act. */
export const preprocessKeys = {
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
} as const satisfies Readonly<Record<string, ConfigKey>>;
