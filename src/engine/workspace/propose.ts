import { storedLayout } from '../../formats/arrangement';
import type { Files } from '../../formats/bytes';
import { relocateDataset } from '../../formats/datasets';
import { preparedDims } from '../../formats/images/prepare';
import type { TokenizerConfig } from '../../formats/tokenizer/config';
import type { PreprocessConfig } from '../../formats/transform';
import type { CancelSignal } from '../../protocol/cancel';
import type { Proposal } from '../../protocol/engineApi';
import type { RunConfig } from '../config/config';
import { usualNormalizations } from '../review/variants';
import { describeCheckpoints } from '../run/trajectory';
import type { Discovery } from './discover';
import { planRuns, type RunPlan } from './plan';

const bytes = { scale: 1 / 255 };

/**
 * What preprocessing may have been, likeliest first: what the training script says, then the usual ones. The right one is
 * told by the training loss of the last checkpoint, which must agree with the log.
 */
export function preprocessCandidates(plan: RunPlan): PreprocessConfig[] {
  const dataset = plan.splits[0]?.dataset;
  if (dataset?.texts && plan.tokenizer !== undefined) return [{ tokenizer: tokenizerOf(plan, plan.tokenizer) }];
  if (plan.isTokens) return [{}];
  const dims = dataset?.featureDims ?? [];
  const isTable = dims.length === 1;
  const drawn = dataset?.pictures?.stored === 'files' ? drawingOf(plan) : {};
  const channels = dims.length === 3 && (dims[0] === 3 || dims[2] === 3) && drawn.channels !== 'grey' ? 3 : 1;
  const usual = usualNormalizations(channels).map((one) => ({ ...drawn, ...bytes, ...one }));
  const plain = { ...drawn, ...bytes };
  const stated = plan.facts.preprocess && statedOf(plan.facts.preprocess, drawn, dataset?.pictures !== undefined);
  const all = [
    ...(stated ? [stated] : []),
    ...(isTable
      ? [{ standardize: true }, {}, bytes, ...usual]
      : [plain, ...usual, drawn, { ...drawn, standardize: true }]),
  ];
  const texts = all.map((one) => JSON.stringify(one));
  return all.filter((_, index) => texts.indexOf(texts[index]!) === index);
}

/** As long as the model takes its sequences, where its file says so. */
function tokenizerOf({ inputDims }: RunPlan, file: string): TokenizerConfig {
  const [length] = inputDims?.length === 1 ? inputDims : [];
  return { file, ...(length === undefined ? {} : { maxLength: length }) };
}

/** Pictures in files at the size, with the channels, that the model takes: as the script resizes them, or squeezed whole. */
function drawingOf({ inputDims, facts }: RunPlan): PreprocessConfig {
  const { channels, resize, interpolation, crop } = facts.preprocess ?? {};
  if (inputDims?.length !== 3)
    return { ...(channels ? { channels } : {}), ...(resize ? { resize } : {}), ...(crop ? { crop } : {}) };
  const isLast = storedLayout(inputDims) === 'hwc';
  const [depth, height, width] = isLast
    ? [inputDims[2]!, inputDims[0]!, inputDims[1]!]
    : [inputDims[0]!, inputDims[1]!, inputDims[2]!];
  const own = {
    ...(resize === undefined ? {} : { resize }),
    ...(interpolation === undefined ? {} : { interpolation }),
    ...(crop === undefined ? {} : { crop }),
  };
  const [rows, columns] = preparedDims({ width: 4 * width, height: 3 * height }, own);
  const fits = rows === height && columns === width;
  return {
    ...(depth === 1 ? { channels: 'grey' as const } : {}),
    ...(fits ? own : { resize: [height, width] as const }),
    ...(isLast ? { layout: 'hwc' as const } : {}),
  };
}

/** What the script says; what it does to pictures counts where the data are such. */
function statedOf(stated: PreprocessConfig, drawn: PreprocessConfig, arePictures: boolean): PreprocessConfig {
  const { channels, resize, interpolation, crop, ...arithmetic } = stated;
  return arePictures ? { ...drawn, ...arithmetic } : arithmetic;
}

/** The configuration that a plan comes to; undefined where model or training data are missing. */
export function plannedConfig(
  plan: RunPlan,
  files: Files,
  preprocess: PreprocessConfig = preprocessCandidates(plan)[0]!,
): RunConfig | undefined {
  const { model, splits, log, classes, group, isTokens } = plan;
  if (model === undefined || !splits.some(({ name }) => name === 'train')) return undefined;
  const path = (absolute: string) => files.relative(plan.folder, absolute);
  const dataset = splits[0]?.dataset;
  const texts = dataset?.texts !== undefined;
  return {
    model: path(model),
    checkpoints:
      group.pattern === undefined
        ? group.checkpoints.map(({ file }) => path(file))
        : [path(group.folder), group.pattern].filter(Boolean).join('/'),
    ...(log ? { log: path(log.file) } : {}),
    data: Object.fromEntries(splits.map(({ name, config }) => [name, relocateDataset(config, path)])),
    ...(classes ? { classes } : {}),
    ...(isTokens && !texts ? {} : { preprocess }),
    loss: plan.loss ?? (texts && dataset?.labels.every(Number.isNaN) ? 'next-token' : 'cross-entropy'),
    optimizer: plan.optimizer.config,
    segments: 1,
    ...(plan.script !== undefined && plan.facts.retrain
      ? { retrain: { command: ['python', path(plan.script), ...plan.facts.retrain] } }
      : {}),
  };
}

/** A plan as the text of a `whence.json`, commented where something was guessed. `reason` is why this preprocessing. */
export function toProposal(
  plan: RunPlan,
  files: Files,
  chosen?: { readonly preprocess: PreprocessConfig; readonly reason: string },
): Proposal {
  const config = plannedConfig(plan, files, chosen?.preprocess);
  const script = plan.script === undefined ? undefined : files.relative(plan.folder, plan.script);
  const comments: Partial<Record<keyof RunConfig, string>> = {
    ...(plan.classesFrom === undefined
      ? {}
      : { classes: `Read in ${files.relative(plan.folder, plan.classesFrom)}: the order of the model's outputs.` }),
    preprocess:
      chosen?.reason ??
      (script !== undefined && plan.facts.preprocess
        ? `Read in ${script}.`
        : 'Guessed: confirm with the training script.'),
    ...(plan.optimizer.comment === '' ? {} : { optimizer: plan.optimizer.comment }),
    retrain: `Read in ${script}. Only \`whence retrain\` runs it, after asking: confirm that a subset is a file of row numbers.`,
  };
  const { writer } = plan.group.checkpoints.at(-1)!.state;
  const splits = plan.splits.map(({ name, dataset }) => ({
    name,
    format: dataset.format,
    files: dataset.files,
    examples: dataset.length,
  }));
  return {
    config: plan.config,
    folder: plan.root,
    text: config ? render(config, comments) : '',
    ...(plan.model === undefined ? {} : { model: plan.model }),
    checkpoints: describeCheckpoints(plan.optimizer.checkpoints, plan.log, plan.optimizer.rates),
    optimizer: plan.optimizer.words,
    ...(writer === undefined ? {} : { writer }),
    ...(plan.optimizer.question ? { question: plan.optimizer.question } : {}),
    splits,
    problems: plan.problems,
  };
}

/** JSON with comments above its keys; values stand on one line where they fit. */
function render(config: RunConfig, comments: Partial<Record<keyof RunConfig, string>>): string {
  const entries = Object.entries(config).map(([key, value]) => {
    const line = inline(value);
    const text = line.length <= 90 ? line : JSON.stringify(value, undefined, 2).replaceAll('\n', '\n  ');
    const comment = comments[key as keyof RunConfig];
    return `${comment === undefined ? '' : `  // ${comment}\n`}  ${JSON.stringify(key)}: ${text}`;
  });
  return `// A training run for Whence. Point at a key to see what it means.\n{\n${entries.join(',\n')}\n}\n`;
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, part]) => `${JSON.stringify(key)}: ${inline(part)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

/** Proposals for all groups of checkpoints that no `whence.json` describes, with the likeliest preprocessing. */
export async function propose(found: Discovery, files: Files, signal?: CancelSignal): Promise<Proposal[]> {
  return (await planRuns(found, files, signal)).map((plan) => toProposal(plan, files));
}
