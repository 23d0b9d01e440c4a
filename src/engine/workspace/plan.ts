import { bindModel } from '../../formats/bind';
import type { Files } from '../../formats/bytes';
import { elementCount } from '../../formats/tensor';
import { type CancelSignal, throwIfCancelled } from '../../protocol/cancel';
import type { LossKind, Problem } from '../../protocol/model';
import type { StatedOptimizer } from '../../protocol/optimizerText';
import { parseConfig } from '../config/config';
import { seriesOf } from '../network/weights';
import { listCheckpoints } from '../run/checkpointFiles';
import { initializerReader } from '../run/initializers';
import { readRunModel } from '../run/runModel';
import { readTrainingLog, type TrainingLog } from '../run/trainingLog';
import { stateProblems } from '../run/trajectory';
import type { CheckpointGroup } from './checkpointGroups';
import type { Discovery } from './discover';
import { readModelCard } from './modelCard';
import { type PlannedOptimizer, planOptimizer } from './planOptimizer';
import { homeOf, isInside, type Near, ownFolder, placesNear } from './planPlaces';
import { chooseSplits, type PlannedSplit, problemOf } from './planSplits';
import { readScript, type ScriptFacts } from './trainingScript';

/** A run that could be set up: what belongs together, by absolute paths. */
export interface RunPlan {
  /** Where `whence.json` would go. */
  readonly config: string;
  readonly folder: string;
  /** The folder that was looked through. */
  readonly root: string;
  readonly group: CheckpointGroup;
  readonly model?: string;
  readonly log?: TrainingLog;
  readonly splits: readonly PlannedSplit[];
  readonly classes?: readonly string[];
  /** What the classes were read from. */
  readonly classesFrom?: string;
  readonly loss?: Exclude<LossKind, 'custom'>;
  readonly facts: ScriptFacts;
  readonly optimizer: PlannedOptimizer;
  readonly script?: string;
  /** Shape of one example as the model's file states it. */
  readonly inputDims?: readonly number[];
  /** The `tokenizer.json` of texts, as seen from the folder. */
  readonly tokenizer?: string;
  /** Whether the model takes token ids, which are not preprocessed. */
  readonly isTokens: boolean;
  readonly problems: readonly Problem[];
}

const mostModels = 5;
const mostLogs = 10;
const exportModel =
  "Export it: torch.onnx.export(model.eval(), (inputs,), 'model.onnx', dynamo=True, optimize=False, input_names=['x'], output_names=['logits'], dynamic_shapes=({0: 'batch'},)).";

/** Puts together what discovery found: a plan for each group of checkpoints that no `whence.json` describes. */
export async function planRuns(
  found: Discovery,
  files: Files,
  signal?: CancelSignal,
  answers?: ReadonlyMap<string, StatedOptimizer>,
): Promise<RunPlan[]> {
  const open = await uncovered(found, files);
  const weights = new Set(found.checkpoints.flatMap(({ checkpoints }) => checkpoints.map(({ file }) => file)));
  const models = found.models.filter((path) => !weights.has(path));
  const homes = open.map((group) => homeOf(group, found.folder, models, files));
  // Runs that share a model each keep their configuration with their own checkpoints.
  const folders = open.map((group, index) =>
    homes.filter((home) => home === homes[index]).length > 1 ? ownFolder(group, files) : homes[index]!,
  );
  const taken = [...folders, ...found.configs.map((config) => files.dirname(config))];
  const plans: RunPlan[] = [];
  for (const [index, group] of open.entries()) {
    throwIfCancelled(signal);
    const folder = folders[index]!;
    const near = placesNear(folder, taken, found.folder, files);
    const { file } = group.checkpoints.at(-1)!;
    // A model among the checkpoints is the last of them.
    const own = /\.onnx$/i.test(file) ? [file] : near(models, String);
    plans.push(await planRun(group, own, folder, near, found, files, answers?.get(files.join(folder, 'whence.json'))));
  }
  return plans;
}

async function planRun(
  group: CheckpointGroup,
  models: readonly string[],
  folder: string,
  near: Near,
  found: Discovery,
  files: Files,
  answer: StatedOptimizer | undefined,
): Promise<RunPlan> {
  const problems: Problem[] = [];
  const { model, input, inputDims, isTokens } = await chooseModel(models, group, files, problems);
  const script = await chooseScript(near(found.scripts, String, true), files);
  const card = await readModelCard(files.dirname(group.checkpoints.at(-1)!.file), group.folder, files);
  const listed = await readClassList(near(found.classLists, String, true)[0], files);
  const known = card?.classes ?? script?.facts.classes ?? listed?.classes;
  const tokenizer = near(found.tokenizers, String, true)[0];
  const splits = await chooseSplits(
    near(found.splits, (split) => split.folder),
    input,
    tokenizer !== undefined,
    known,
    files,
    problems,
  );
  const usable = known !== undefined && splits.every(({ dataset }) => !dataset.classes || dataset.classes === known);
  const log = await chooseLog(near(found.logs, String, true), files);
  const from = card?.classes ? card.file : script?.facts.classes ? script.path : listed?.path;
  const { otherOptimizer } = script?.facts.optimizer ?? {};
  const named = script && { name: files.relative(folder, script.path), optimizer: script.facts.optimizer };
  if (otherOptimizer && group.checkpoints.at(-1)!.state.optimizer?.kind === undefined) {
    problems.push({
      severity: 'warning',
      message: `${files.basename(script!.path)} trains with ${otherOptimizer}, which Whence has no form of.`,
      file: script!.path,
      mend: 'Take scores with care, or train with SGD, Adam or AdamW.',
    });
  }
  const examples = splits.find(({ name }) => name === 'train')?.dataset.length;
  const optimizer = planOptimizer(group, examples, log, named, answer, files);
  problems.push(...stateProblems(optimizer.checkpoints, group.folder));
  const loss = card?.loss ?? script?.facts.loss;
  return {
    config: files.join(folder, 'whence.json'),
    folder,
    root: found.folder,
    group,
    ...(model === undefined ? {} : { model }),
    ...(inputDims ? { inputDims } : {}),
    ...(log ? { log } : {}),
    splits,
    ...(usable ? { classes: known } : {}),
    ...(usable && from !== undefined ? { classesFrom: from } : {}),
    ...(loss === undefined ? {} : { loss }),
    facts: script?.facts ?? { optimizer: {} },
    optimizer,
    ...(script ? { script: script.path } : {}),
    isTokens,
    ...(tokenizer === undefined ? {} : { tokenizer: files.relative(folder, tokenizer) }),
    problems,
  };
}

/** Groups none of whose checkpoints an existing configuration lists; a broken one is taken to mean all below its folder. */
async function uncovered(found: Discovery, files: Files): Promise<CheckpointGroup[]> {
  const listed = new Set<string>();
  const broken: string[] = [];
  for (const path of found.configs) {
    const folder = files.dirname(path);
    try {
      const { config } = parseConfig(await readText(path, files), path);
      if (!config) broken.push(folder);
      else for (const file of await listCheckpoints(config.checkpoints, folder, files)) listed.add(file);
    } catch {
      // Opening the run will say what is wrong with it.
      broken.push(folder);
    }
  }
  return found.checkpoints.filter(
    (group) =>
      !group.checkpoints.some(({ file }) => listed.has(file)) &&
      !broken.some((folder) => isInside(group.folder, folder, files)),
  );
}

interface ChosenModel {
  readonly model?: string;
  readonly input?: number;
  readonly inputDims?: readonly number[];
  readonly isTokens: boolean;
}

/**
 * The first model that the last checkpoint fits, with the number of values that one example has for it where the file says
 * so; where none fits, the first, with the reason.
 */
async function chooseModel(
  models: readonly string[],
  group: CheckpointGroup,
  files: Files,
  problems: Problem[],
): Promise<ChosenModel> {
  if (models.length === 0) {
    problems.push({ severity: 'error', message: 'No ONNX model found.', file: group.folder, mend: exportModel });
    return { isTokens: false };
  }
  const reasons: Problem[] = [];
  for (const path of models.slice(0, mostModels)) {
    try {
      const { model, inputs } = await readRunModel(path, files);
      await bindModel(model, seriesOf(group.checkpoints, files), initializerReader(model, files));
      const dims = inputs.length === 1 ? (inputs[0]!.dims?.slice(1) ?? []) : [];
      const isStatic = dims.length > 0 && dims.every((dim) => typeof dim === 'number');
      const isTokens = inputs.every(({ dtype }) => dtype === 'int64' || dtype === 'int32');
      const fixed = dims.filter((dim): dim is number => typeof dim === 'number');
      return { model: path, isTokens, ...(isStatic ? { input: elementCount(fixed), inputDims: fixed } : {}) };
    } catch (error) {
      reasons.push(problemOf(error, path));
    }
  }
  problems.push(reasons[0]!);
  return { model: models[0]!, isTokens: false };
}

async function chooseScript(paths: readonly string[], files: Files) {
  const named = (path: string) => (/train/i.test(files.basename(path)) ? 0 : 1);
  for (const path of [...paths].sort((a, b) => named(a) - named(b)).slice(0, 10)) {
    const text = await readText(path, files).catch(() => '');
    if (/\boptim\b|\bSGD\b|\bAdamW?\b|\bTrainingArguments\b/.test(text)) return { path, facts: readScript(text) };
  }
  return undefined;
}

/** The first that can be read as one: other tables may be called alike. */
async function chooseLog(paths: readonly string[], files: Files): Promise<TrainingLog | undefined> {
  for (const path of paths.slice(0, mostLogs)) {
    try {
      return await readTrainingLog(await files.open(path));
    } catch {
      // A table of something else.
    }
  }
  return undefined;
}

async function readClassList(path: string | undefined, files: Files) {
  const text = path === undefined ? '' : await readText(path, files).catch(() => '');
  const classes = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
  return path !== undefined && classes.length > 1 ? { path, classes } : undefined;
}

async function readText(path: string, files: Files): Promise<string> {
  const source = await files.open(path);
  return new TextDecoder().decode(await source.read(0, Math.min(source.size, 2 ** 20)));
}
