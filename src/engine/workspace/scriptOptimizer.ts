import type { OptimizerKind } from '../../formats/trainingState';

/** An optimizer as a piece of Python code describes it; what it does not say is absent. */
export interface ScriptOptimizer {
  readonly kind?: OptimizerKind;
  /** An optimizer that Whence does not know. */
  readonly otherOptimizer?: string;
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
  readonly batchSize?: number;
}

export const number = '([-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[-+]?\\d+)?)';

const kinds: Readonly<Record<string, OptimizerKind>> = { sgd: 'sgd', adam: 'adam', adamw: 'adamw' };
const call =
  /\b(?:optim\.|optimizers\.)?(SGD|AdamW|Adam|Adamax|NAdam|RAdam|SparseAdam|RMSprop|Adagrad|Adadelta|LBFGS|Muon|Lion|Adafactor)\s*\(/;
/** What PyTorch's AdamW takes where nothing is given. */
const usualDecay = 0.01;

/**
 * Reads `AdamW(model.parameters(), lr=1e-3)` and what its arguments are set to elsewhere: constants and the defaults of
 * command-line arguments. Other calls' arguments of the same names, such as the momentum of a normalization, are not taken.
 */
export function readOptimizer(code: string): ScriptOptimizer {
  const found = call.exec(code);
  const given = found ? argumentsAt(code, found.index + found[0].length) : '';
  const name = found?.[1] ?? (/\bTrainingArguments\s*\(/.test(code) ? 'AdamW' : undefined);
  const kind = name === undefined ? undefined : kinds[name.toLowerCase()];
  const elsewhere = code.replace(/\b\w*(?:Norm|EMA|Model)\w*\([^()]*\)/g, '');
  const value = (...names: readonly string[]) => givenNumber(given, names, code) ?? findNumber(elsewhere, names);
  const facts: { -readonly [K in keyof ScriptOptimizer]: ScriptOptimizer[K] } = {};
  if (kind) facts.kind = kind;
  else if (name !== undefined) facts.otherOptimizer = name;
  const learningRate = value('lr', 'learning_rate', 'base_lr');
  if (learningRate !== undefined && learningRate > 0) facts.learningRate = learningRate;
  const isPlain = kind === undefined || kind === 'sgd';
  const momentum = isPlain ? value('momentum') : undefined;
  if (momentum !== undefined && momentum >= 0 && momentum < 1) facts.momentum = momentum;
  if (isPlain && /\bnesterov\s*=\s*True\b/.test(code)) facts.nesterov = true;
  const isSaid = /\bweight_decay\s*=/.test(given);
  const weightDecay = value('weight_decay', 'wd') ?? (name === 'AdamW' && found && !isSaid ? usualDecay : undefined);
  if (weightDecay !== undefined && weightDecay >= 0) facts.weightDecay = weightDecay;
  const betas = new RegExp(`\\bbetas\\s*=\\s*[([]\\s*${number}\\s*,\\s*${number}\\s*[)\\]]`).exec(given);
  if (betas) facts.betas = [Number(betas[1]), Number(betas[2])];
  const epsilon = givenNumber(given, ['eps'], code);
  if (epsilon !== undefined && epsilon >= 0) facts.epsilon = epsilon;
  const batchSize = value('batch_size', 'per_device_train_batch_size');
  if (batchSize !== undefined && Number.isInteger(batchSize) && batchSize > 0) facts.batchSize = batchSize;
  return facts;
}

/** The text of a call's arguments, from behind its parenthesis to the one that closes it. */
function argumentsAt(code: string, from: number): string {
  let depth = 1;
  let to = from;
  const end = Math.min(code.length, from + 2000);
  for (; to < end && depth > 0; to++) {
    if ('([{'.includes(code[to]!)) depth++;
    if (')]}'.includes(code[to]!)) depth--;
  }
  return code.slice(from, depth === 0 ? to - 1 : to);
}

/** An argument's value where it is a number, or a name that is set to one. */
function givenNumber(given: string, names: readonly string[], code: string): number | undefined {
  for (const name of names) {
    const found = new RegExp(`\\b${name}\\s*=\\s*(?:${number}\\b|([A-Za-z_][\\w.]*))`).exec(given);
    if (found?.[1] !== undefined) return Number(found[1]);
    const constant = found?.[2]?.split('.').at(-1);
    if (constant !== undefined) return findNumber(code, [constant]);
  }
  return undefined;
}

/** A value given to the very option, else a constant of that name, else an argument's default. */
function findNumber(code: string, names: readonly string[]): number | undefined {
  for (const name of names) {
    const dashed = name.replaceAll('_', '[-_]');
    const patterns = [
      `\\b${name}\\s*=\\s*${number}\\b`,
      `^\\s*${name}\\s*(?::\\s*\\w+\\s*)?=\\s*${number}\\b`,
      `["']--${dashed}["'][^)]*?\\bdefault\\s*=\\s*${number}\\b`,
    ];
    for (const [index, pattern] of patterns.entries()) {
      const found = new RegExp(pattern, index === 1 ? 'im' : 'm').exec(code)?.[1];
      if (found !== undefined) return Number(found);
    }
  }
  return undefined;
}
