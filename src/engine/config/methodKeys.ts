import type { ConfigKey } from './configKeys';

/** Settings of single attribution methods in `whence.json`. */
export const methodKeys = {
  trak: { description: 'Settings of the method TRAK.', example: { dimension: 256 } },
  'trak.dimension': {
    description:
      'Of the random projection of gradients. Default: 1024, but no more than a quarter of the training examples, and what memory allows.',
    example: 256,
  },
  'trak.damping': {
    description: "What is added to the kernel's eigenvalues, as a share of their mean.",
    example: 0.1,
    default: 0.1,
  },
  unrolling: {
    description: 'What exact unrolling replays training from.',
    example: { batches: 'batches.npy', initial: 'initial.safetensors' },
  },
  'unrolling.batches': {
    description:
      'The training examples of every update, as indices from 0: a .npy of integers [updates, batch] (negative where a batch is shorter), or JSON lines of lists.',
    example: 'batches.npy',
  },
  'unrolling.initial': {
    description: 'The weights before the first update. Default: the checkpoint of step 0.',
    example: 'initial.safetensors',
  },
  queryRank: {
    description:
      'Keeps of each query, layer by layer, the best approximation of this rank: faster for many queries of large layers, and what is left out is measured. Default: off.',
    example: 32,
  },
} as const satisfies Readonly<Record<string, ConfigKey>>;
