import { storedLayout } from '../../formats/arrangement';
import { elementCount } from '../../formats/tensor';
import type { PreprocessConfig } from '../../formats/transform';

/** Another preprocessing than the one that is told, and what would be the matter if it were the right one. */
export interface Variant {
  /** The beginning of a sentence. */
  readonly cause: string;
  readonly preprocess: PreprocessConfig;
}

/** What the examples' numbers are before arithmetic. */
export interface FeatureFacts {
  /** Shape of one example. */
  readonly dims: readonly number[];
  readonly low: number;
  readonly high: number;
  /** Whether all are whole numbers beyond 0 and 1: pixels as bytes. */
  readonly isBytes: boolean;
  /** Pictures in files of their own, which are resized. */
  readonly arePictures: boolean;
  /** Of each channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const byteScale = 1 / 255;

/** Means and deviations that training scripts copy from each other. */
const usualStatistics = [
  // MNIST, FashionMNIST (two roundings), and -1..1.
  { mean: 0.1307, std: 0.3081 },
  { mean: 0.286, std: 0.353 },
  { mean: 0.2861, std: 0.353 },
  { mean: 0.5, std: 0.5 },
] as const;
const usualColourStatistics = [
  // ImageNet, CIFAR-10 (two versions), CIFAR-100 and CLIP.
  { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] },
  { mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] },
  { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
] as const;

/** Usual normalizations of pixels from 0 to 1 with so many channels, likeliest first. */
export function usualNormalizations(channels: number): readonly Pick<PreprocessConfig, 'mean' | 'std'>[] {
  return channels === 3 ? [...usualColourStatistics, ...usualStatistics] : usualStatistics;
}

/** What numbers of shape `dims`, [examples, ...dims], are like. */
export function featureFacts(dims: readonly number[], inputs: Float32Array, arePictures: boolean): FeatureFacts {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let isWhole = true;
  const { channels, channelOf } = channelsOf(dims);
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const size = elementCount(dims);
  for (let index = 0; index < inputs.length; index++) {
    const value = inputs[index]!;
    low = Math.min(low, value);
    high = Math.max(high, value);
    isWhole &&= Number.isInteger(value);
    const channel = channelOf(index % size);
    sums[channel]! += value;
    squares[channel]! += value * value;
  }
  const count = inputs.length / channels;
  const mean = Array.from(sums, (sum) => sum / count);
  const std = Array.from(squares, (square, channel) => Math.sqrt(Math.max(0, square / count - mean[channel]! ** 2)));
  return { dims, low, high, isBytes: isWhole && low >= 0 && high > 1 && high <= 255, arePictures, mean, std };
}

function channelsOf(dims: readonly number[]) {
  const layout = storedLayout(dims);
  const size = elementCount(dims);
  if (layout === undefined) return { channels: 1, channelOf: () => 0 };
  const channels = layout === 'chw' ? dims[0]! : dims[2]!;
  const each = size / channels;
  return {
    channels,
    channelOf: (at: number) => (layout === 'chw' ? Math.floor(at / each) : at % channels),
  };
}

/** What may be the matter with a preprocessing, likeliest first; those that cannot be are left out. */
export function preprocessVariants(base: PreprocessConfig, facts: FeatureFacts): Variant[] {
  const all =
    facts.dims.length === 1
      ? tableVariants(base, facts)
      : [...pixelVariants(base, facts), ...drawingVariants(base, facts)];
  const texts = all.map(({ preprocess }) => JSON.stringify(preprocess));
  return all.filter((_, at) => texts.indexOf(texts[at]!) === at && texts[at] !== JSON.stringify(base));
}

function tableVariants({ standardize, ...base }: PreprocessConfig, facts: FeatureFacts): Variant[] {
  const { scale, mean, std, ...rest } = base;
  const isChanged = scale !== undefined || mean !== undefined || std !== undefined;
  const bytes = {
    cause: 'The columns look like 0..255 where the model saw 0..1',
    preprocess: { ...rest, scale: byteScale },
  };
  return [
    ...(standardize
      ? [{ cause: 'The columns are standardised where the model saw them as they are', preprocess: rest }]
      : [
          {
            cause: 'The columns are not standardised where the model saw them so',
            preprocess: { ...rest, standardize: true },
          },
        ]),
    ...(facts.isBytes ? [bytes] : []),
    ...(isChanged ? [{ cause: 'The columns are scaled where the model saw them as they are', preprocess: rest }] : []),
  ];
}

/** Arithmetic: scale, mean and deviation. */
function pixelVariants({ standardize, scale, mean, std, ...drawn }: PreprocessConfig, facts: FeatureFacts): Variant[] {
  const { isBytes } = facts;
  const isScaled = scale !== undefined && Math.abs(scale) < 1;
  const unit = isBytes ? { scale: byteScale } : {};
  const kept = { ...(mean === undefined ? {} : { mean }), ...(std === undefined ? {} : { std }) };
  const isNormalized = mean !== undefined || std !== undefined;
  const variants: Variant[] = [];
  if (isBytes && !isScaled && !standardize) {
    const cause = 'The pixels look like 0..255 where the model saw 0..1';
    variants.push({ cause, preprocess: { ...drawn, ...unit, ...kept } });
  }
  if (isScaled && !isBytes) {
    const cause = 'The pixels are divided by 255 where they are from 0 to 1 already';
    variants.push({ cause, preprocess: { ...drawn, ...kept } });
  }
  const channels = facts.mean.length;
  const own = { mean: rounded(facts.mean, unit.scale), std: rounded(facts.std, unit.scale) };
  for (const usual of [...usualNormalizations(channels), ...(own.std === 0 ? [] : [own])]) {
    const cause = isNormalized
      ? `The pixels are normalised with another mean and deviation than ${named(usual.mean)} and ${named(usual.std)}`
      : `The pixels are not normalised where the model saw them with mean ${named(usual.mean)} and deviation ${named(usual.std)}`;
    variants.push({ cause, preprocess: { ...drawn, ...unit, ...usual } });
  }
  if (isNormalized || standardize) {
    const cause = 'The pixels are normalised where the model saw them from 0 to 1, or they are normalised twice';
    variants.push({ cause, preprocess: { ...drawn, ...unit } });
  }
  if (isScaled && isBytes) {
    const cause = 'The pixels are scaled to 0..1 where the model saw 0..255';
    variants.push({ cause, preprocess: { ...drawn, ...kept } });
  }
  if (!standardize)
    variants.push(invertedVariant({ ...drawn, ...(scale === undefined ? {} : { scale }), ...kept }, facts));
  return variants;
}

/** Black for white: `(most - x) * scale - mean` is `x * -scale - (mean - most * scale)`. */
function invertedVariant({ scale = 1, mean = 0, ...base }: PreprocessConfig, { isBytes, high }: FeatureFacts): Variant {
  const most = (isBytes ? 255 : Math.max(1, high)) * scale;
  const shift = (value: number) => Number((value - most).toPrecision(12));
  const shifted = typeof mean === 'number' ? shift(mean) : mean.map(shift);
  return {
    cause: 'The pixels are inverted, black for white',
    preprocess: { ...base, scale: -scale, mean: shifted },
  };
}

/** What happens to pictures before arithmetic. */
function drawingVariants(base: PreprocessConfig, { dims, arePictures }: FeatureFacts): Variant[] {
  const layout = storedLayout(dims);
  const channels = layout === undefined ? 1 : layout === 'chw' ? dims[0]! : dims[2]!;
  const variants: Variant[] = [];
  if (channels === 3) {
    const { channels: order, ...rest } = base;
    const cause = 'The colours are in the other order: red, green, blue for blue, green, red';
    variants.push({ cause, preprocess: order === 'bgr' ? rest : { ...rest, channels: 'bgr' } });
    const wanted = layout === 'chw' ? ('hwc' as const) : ('chw' as const);
    const where = wanted === 'hwc' ? 'first where the model has them last' : 'last where the model has them first';
    variants.push({ cause: `The channels stand ${where}`, preprocess: { ...base, layout: wanted } });
  }
  const { transpose, ...upright } = base;
  variants.push({
    cause: 'The pictures are transposed: rows for columns',
    preprocess: transpose ? upright : { ...base, transpose: true },
  });
  if (!arePictures) return variants;
  for (const interpolation of ['bilinear', 'bicubic', 'nearest'] as const) {
    if (interpolation === (base.interpolation ?? 'bilinear')) continue;
    const cause = `The pictures are resized otherwise than by ${interpolation} interpolation`;
    variants.push({ cause, preprocess: { ...base, interpolation } });
  }
  return [...variants, ...cropVariants(base, dims)];
}

/** Whole pictures for a cut from the middle, and the usual cut for whole pictures. */
function cropVariants(base: PreprocessConfig, dims: readonly number[]): Variant[] {
  const [height, width] = storedLayout(dims) === 'chw' ? [dims[1]!, dims[2]!] : [dims[0]!, dims[1]!];
  const { crop, resize: _, ...rest } = base;
  const variants: Variant[] = [];
  if (crop !== undefined) {
    const cause = 'Only the middle of the pictures is taken where the model saw them whole';
    variants.push({ cause, preprocess: { ...rest, resize: [height, width] } });
  } else {
    const side = Math.max(height, width);
    for (const shorter of [side, Math.round(side / 0.875)]) {
      const cause = 'The pictures are squeezed whole where the model saw their middle';
      variants.push({
        cause,
        preprocess: { ...rest, resize: shorter, crop: height === width ? height : [height, width] },
      });
    }
  }
  return variants;
}

function rounded(values: readonly number[], scale = 1): number | readonly number[] {
  const own = values.map((value) => Number((value * scale).toFixed(4)));
  return own.length === 1 ? own[0]! : own;
}

function named(values: PreprocessConfig['mean']): string {
  return JSON.stringify(values);
}
