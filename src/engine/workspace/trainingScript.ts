import type { PreprocessConfig } from '../../formats/transform';
import type { LossKind } from '../../protocol/model';
import { number, readOptimizer, type ScriptOptimizer } from './scriptOptimizer';
import { readPictureTransforms } from './scriptPictures';
import { retrainArguments } from './scriptRetrain';

/** What simple patterns in a training script tell. Python is not run and not parsed: these are guesses to confirm. */
export interface ScriptFacts {
  readonly optimizer: ScriptOptimizer;
  readonly classes?: readonly string[];
  readonly loss?: Exclude<LossKind, 'custom'>;
  readonly preprocess?: PreprocessConfig;
  /** What follows the script's name where it trains on a part of the data. */
  readonly retrain?: readonly string[];
}

const numbers = `[(\\[]\\s*(${number}(?:\\s*,\\s*${number})*)\\s*,?\\s*[)\\]]`;

export function readScript(text: string): ScriptFacts {
  const code = text.replace(/^\s*#.*$/gm, '');
  const facts: { -readonly [K in keyof ScriptFacts]: ScriptFacts[K] } = { optimizer: readOptimizer(code) };
  if (/\b(MSELoss|mse_loss)\b/.test(code) && !/\b(CrossEntropyLoss|cross_entropy|nll_loss)\b/.test(code)) {
    facts.loss = 'squared-error';
  }
  const classes = findClasses(code);
  if (classes) facts.classes = classes;
  const preprocess = findPreprocess(code);
  if (preprocess) facts.preprocess = preprocess;
  const retrain = retrainArguments(code);
  if (retrain) facts.retrain = retrain;
  return facts;
}

const quoted = `(?:"[^"\\\\\\n]*"|'[^'\\\\\\n]*')`;
const classList = new RegExp(
  `^\\s*(?:CLASSES|CLASS_NAMES|LABELS|class_names|classes)\\s*=\\s*[\\[(]\\s*(${quoted}(?:\\s*,\\s*${quoted})*)\\s*,?\\s*[\\])]`,
  'm',
);

function findClasses(code: string): readonly string[] | undefined {
  const list = classList.exec(code);
  const names = list && [...list[1]!.matchAll(/"([^"]*)"|'([^']*)'/g)].map((match) => match[1] ?? match[2] ?? '');
  return names && names.length > 1 ? names : undefined;
}

function findPreprocess(code: string): PreprocessConfig | undefined {
  const scales = /\/\s*255\b|div_?\(\s*255|\bToTensor\s*\(/.test(code);
  const normalized = new RegExp(
    `\\bNormalize\\(\\s*(?:mean\\s*=\\s*)?${numbers}\\s*,\\s*(?:std\\s*=\\s*)?${numbers}`,
  ).exec(code);
  // Every number inside the lists is a group of its own: 1 to 3 for the first list, 4 to 6 for the second.
  const means = normalized ? list(normalized[1]!) : constant(code, 'MEAN');
  const stds = normalized ? list(normalized[4]!) : constant(code, 'STD');
  if (scales || normalized) {
    const known = means !== undefined && stds !== undefined && !stds.includes(0);
    return {
      ...readPictureTransforms(code),
      ...(scales ? { scale: 1 / 255 } : {}),
      ...(known ? { mean: single(means), std: single(stds) } : {}),
    };
  }
  const ownStatistics =
    /\.std\(\s*(?:axis\s*=\s*|dim\s*=\s*)?0/.test(code) && /\.mean\(\s*(?:axis\s*=\s*|dim\s*=\s*)?0/.test(code);
  return ownStatistics || /\bStandardScaler\s*\(/.test(code) ? { standardize: true } : undefined;
}

/** `MEAN = 0.5`, `MEAN = (0.1, 0.2)`, or a place in `MEAN, STD = 0.286, 0.353`. */
function constant(code: string, name: 'MEAN' | 'STD'): number[] | undefined {
  const pair = new RegExp(`^\\s*MEAN\\s*,\\s*STD\\s*=\\s*${number}\\s*,\\s*${number}`, 'im').exec(code);
  if (pair) return [Number(name === 'MEAN' ? pair[1] : pair[2])];
  const alone = new RegExp(`^\\s*${name}\\s*=\\s*${number}\\s*(?:#.*)?$`, 'im').exec(code)?.[1];
  if (alone !== undefined) return [Number(alone)];
  const several = new RegExp(`^\\s*${name}\\s*=\\s*${numbers}`, 'im').exec(code)?.[1];
  return several === undefined ? undefined : list(several);
}

function list(text: string): number[] {
  return text.split(',').map(Number);
}

function single(values: readonly number[]): number | readonly number[] {
  return values.length === 1 ? values[0]! : values;
}
