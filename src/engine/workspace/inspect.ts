import type { Files } from '../../formats/bytes';
import type { Dataset } from '../../formats/dataset';
import { datasetFiles } from '../../formats/datasets';
import type { CancelSignal } from '../../protocol/cancel';
import type { WorkspaceReport } from '../../protocol/engineApi';
import { toErrorData } from '../../protocol/errors';
import type { Problem, TrainingRun } from '../../protocol/model';
import { parseConfig } from '../config/config';
import { lossOf } from '../config/lossConfig';
import { findCheckpoints } from '../run/checkpointFiles';
import { describeRun, openRun, readConfig } from '../run/openRun';
import { splitOpener } from '../run/splits';
import { trainedSplits } from '../run/stages';
import { describeCheckpoints } from '../run/trajectory';
import { type Discovery, discover } from './discover';
import { propose } from './propose';

/** Everything in a folder that is a run or could be set up as one. A broken run is listed with what is wrong. */
export async function inspectFolder(folder: string, files: Files, signal: CancelSignal): Promise<WorkspaceReport> {
  const found = await discover(folder, files, signal);
  const runs = await Promise.all(found.configs.map((config) => inspectRun(config, files)));
  return { runs, proposals: await propose(found, files, signal), problems: problemsOf(found) };
}

interface FileSplit {
  readonly config: string;
  readonly split: string;
  readonly paths: readonly string[];
  open(): Promise<Dataset>;
}

/** The run's split that a data file belongs to: `open` reads it, `paths` are all files that this depends on. */
export async function findUse(
  folder: string,
  file: string,
  files: Files,
  signal: CancelSignal,
): Promise<FileSplit | null> {
  const { configs } = await discover(folder, files, signal);
  for (const config of configs) {
    // A run that cannot be read uses no file; opening it says why.
    const parsed = await readConfig(config, files).catch(() => undefined);
    if (!parsed) continue;
    const home = files.dirname(config);
    for (const [split, own] of Object.entries(parsed.data)) {
      if (!datasetFiles(own, home, files).includes(file)) continue;
      const open = async () => {
        const opener = splitOpener(parsed, home, files);
        const [trained] = trainedSplits(parsed) as [string, ...string[]];
        const train = split === trained ? undefined : await opener(trained, parsed.classes);
        return opener(split, parsed.classes ?? train?.classes);
      };
      const data = Object.values(parsed.data).flatMap((one) => datasetFiles(one, home, files));
      return { config, split, open, paths: [config, ...data] };
    }
  }
  return null;
}

async function inspectRun(config: string, files: Files): Promise<TrainingRun> {
  try {
    return describeRun(await openRun(config, files));
  } catch (error) {
    const folder = files.dirname(config);
    const { message, details } = toErrorData(error);
    const problem: Problem = {
      severity: 'error',
      message,
      file: details.file ?? config,
      ...(details.mend === undefined ? {} : { mend: details.mend }),
    };
    const parsed = await readConfig(config, files).catch(() => undefined);
    const problems = parsed ? [] : await textProblems(config, files).catch(() => []);
    const saved = parsed ? await findCheckpoints(parsed.checkpoints, folder, files).catch(() => []) : [];
    return {
      config,
      name: parsed?.name ?? files.basename(folder),
      folder,
      model: parsed ? files.join(folder, parsed.model) : '',
      checkpoints: describeCheckpoints(saved, undefined, undefined),
      splits: [],
      classes: parsed?.classes ?? [],
      optimizer: '',
      loss: lossOf(parsed?.loss).kind,
      segments: [],
      problems: problems.length > 0 ? problems : [problem],
    };
  }
}

/** All that is wrong with a `whence.json` as a text. */
async function textProblems(config: string, files: Files): Promise<readonly Problem[]> {
  const source = await files.open(config);
  return parseConfig(new TextDecoder().decode(await source.read(0, source.size)), config).problems;
}

function problemsOf({ configs, checkpoints, problems, folder }: Discovery): Problem[] {
  if (configs.length > 0 || checkpoints.length > 0) return [...problems];
  const message = 'No checkpoints found.';
  const mend =
    "Save some in training: safetensors.torch.save_file(model.state_dict(), f'checkpoints/step-{step}.safetensors').";
  return [...problems, { severity: 'info', message, file: folder, mend }];
}
