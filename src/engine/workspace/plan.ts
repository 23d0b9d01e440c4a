import { bindModel } from '../../formats/bind';
import type { Files } from '../../formats/bytes';
import { elementCount } from '../../formats/tensor';
import { type CancelSignal, throwIfCancelled } from '../../protocol/cancel';
import type { Problem } from '../../protocol/model';
import { parseConfig } from '../config/config';
import { seriesOf } from '../network/weights';
import { findCheckpoints } from '../run/checkpointFiles';
import { initializerReader } from '../run/initializers';
import { readRunModel } from '../run/runModel';
import type { CheckpointGroup } from './checkpointGroups';
import type { Discovery } from './discover';
import { homeOf, isInside, nearest, ownFolder } from './planPlaces';
import { chooseSplits, type PlannedSplit, problemOf } from './planSplits';
import { readScript, type ScriptFacts } from './trainingScript';

/** A run that could be set up: what belongs together, by absolute paths. */
export interface RunPlan {
  /** Where `whence.json` would go. */
  readonly config: string;
  readonly folder: string;
  readonly group: CheckpointGroup;
  readonly model?: string;
  readonly log?: string;
  readonly splits: readonly PlannedSplit[];
  readonly classes?: readonly string[];
  /** What the classes were read from. */
  readonly classesFrom?: string;
  readonly facts: ScriptFacts;
  readonly script?: string;
  readonly problems: readonly Problem[];
}

const mostModels = 5;
const exportModel =
  "Export it: torch.onnx.export(model.eval(), (inputs,), 'model.onnx', dynamo=True, optimize=False, input_names=['x'], output_names=['logits'], dynamic_shapes=({0: 'batch'},)).";

/** Puts together what discovery found: a plan for each group of checkpoints that no `whence.json` describes. */
export async function planRuns(found: Discovery, files: Files, signal?: CancelSignal): Promise<RunPlan[]> {
  const open = await uncovered(found, files);
  const homes = open.map((group) => homeOf(group, found.folder, found.models, files));
  const plans: RunPlan[] = [];
  for (const [index, group] of open.entries()) {
    throwIfCancelled(signal);
    // Runs that share a model each keep their configuration with their own checkpoints.
    const isShared = homes.filter((home) => home === homes[index]).length > 1;
    plans.push(await planRun(group, isShared ? ownFolder(group, files) : homes[index]!, found, files));
  }
  return plans;
}

async function planRun(group: CheckpointGroup, folder: string, found: Discovery, files: Files): Promise<RunPlan> {
  const problems: Problem[] = [];
  const near = <T>(items: readonly T[], pathOf: (item: T) => string) =>
    nearest(items, pathOf, folder, found.folder, files);
  const { model, input } = await chooseModel(near(found.models, String), group, files, problems);
  const script = await chooseScript(near(found.scripts, String), files);
  const facts = script ? script.facts : {};
  const listed = await readClassList(near(found.classLists, String)[0], files);
  const known = facts.classes ?? listed?.classes;
  const splits = await chooseSplits(
    near(found.splits, (split) => split.folder),
    input,
    known,
    files,
    problems,
  );
  const usable = known !== undefined && splits.every(({ dataset }) => !dataset.classes || dataset.classes === known);
  const log = near(found.logs, String)[0];
  const from = facts.classes ? script!.path : listed?.path;
  if (facts.otherOptimizer) {
    problems.push({
      severity: 'warning',
      message: `${files.basename(script!.path)} trains with ${facts.otherOptimizer}; scores are computed as for SGD.`,
      file: script!.path,
      mend: 'Take them with care, or train with SGD.',
    });
  }
  return {
    config: files.join(folder, 'whence.json'),
    folder,
    group,
    ...(model === undefined ? {} : { model }),
    ...(log === undefined ? {} : { log }),
    splits,
    ...(usable ? { classes: known } : {}),
    ...(usable && from !== undefined ? { classesFrom: from } : {}),
    facts,
    ...(script ? { script: script.path } : {}),
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
      else for (const { file } of await findCheckpoints(config.checkpoints, folder, files)) listed.add(file);
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

/**
 * The first model that the last checkpoint fits, with the number of values that one example has for it where the file says
 * so; where none fits, the first, with the reason.
 */
async function chooseModel(
  models: readonly string[],
  group: CheckpointGroup,
  files: Files,
  problems: Problem[],
): Promise<{ readonly model?: string; readonly input?: number }> {
  if (models.length === 0) {
    problems.push({ severity: 'error', message: 'No ONNX model found.', file: group.folder, mend: exportModel });
    return {};
  }
  const reasons: Problem[] = [];
  for (const path of models.slice(0, mostModels)) {
    try {
      const { model, inputs } = await readRunModel(path, files);
      await bindModel(model, seriesOf(group.checkpoints, files), initializerReader(model, files));
      const dims = inputs.length === 1 ? (inputs[0]!.dims?.slice(1) ?? []) : [];
      const isStatic = dims.length > 0 && dims.every((dim) => typeof dim === 'number');
      return { model: path, ...(isStatic ? { input: elementCount(dims as number[]) } : {}) };
    } catch (error) {
      reasons.push(problemOf(error, path));
    }
  }
  problems.push(reasons[0]!);
  return { model: models[0]! };
}

async function chooseScript(paths: readonly string[], files: Files) {
  const named = (path: string) => (/train/i.test(files.basename(path)) ? 0 : 1);
  for (const path of [...paths].sort((a, b) => named(a) - named(b)).slice(0, 10)) {
    const text = await readText(path, files).catch(() => '');
    if (/\boptim\b|\bSGD\b/.test(text)) return { path, facts: readScript(text) };
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
