import { findNodeAtLocation, type JSONPath, parseTree } from 'jsonc-parser';
import type { Files } from '../../formats/bytes';
import { datasetFiles, resolvePath } from '../../formats/datasets';
import { openTokenizer } from '../../formats/tokenizer/tokenizer';
import { toErrorData } from '../../protocol/errors';
import type { Problem } from '../../protocol/model';
import { listCheckpoints } from '../run/checkpointFiles';
import { customLossOf } from '../run/customLoss';
import { readRunModel } from '../run/runModel';
import { checkSplit, splitOpener } from '../run/splits';
import { readTrainingLog } from '../run/trainingLog';
import { readTrajectory } from '../run/trajectory';
import { parseConfig } from './config';
import { rangeOf } from './configProblems';
import { lossOf } from './lossConfig';

/**
 * All problems of a `whence.json` as its text stands in an editor: those of the text, and where that leaves a usable
 * configuration, those of the files that it names. Each has a range of the text; nothing is thrown.
 */
export async function validateConfig(path: string, text: string, files: Files): Promise<readonly Problem[]> {
  const { config, problems } = parseConfig(text, path);
  const root = parseTree(text, [], { allowTrailingComma: true });
  if (!config || !root) return problems;
  const folder = files.dirname(path);
  const found: Problem[] = [...problems];

  /** Runs a check; what it throws becomes a problem at `place`. */
  const check = async <T>(place: JSONPath, act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      const { message, details } = toErrorData(error);
      const isOther = details.file !== undefined && details.file !== path;
      const named = isOther ? undefined : details.place && findNodeAtLocation(root, details.place.split('.'));
      const node = named || (findNodeAtLocation(root, place) ?? findNodeAtLocation(root, place.slice(0, -1)) ?? root);
      const where = isOther ? [files.relative(folder, details.file!), details.place].filter(Boolean).join(', ') : '';
      found.push({
        severity: 'error',
        message: where ? `${where}: ${message}` : message,
        file: path,
        ...(details.mend === undefined ? {} : { mend: details.mend }),
        range: rangeOf(node),
      });
      return undefined;
    }
  };

  const model = await check(['model'], () => readRunModel(resolvePath(folder, config.model, files), files));
  const before = found.length;
  const checkpoints = await check(['checkpoints'], () => listCheckpoints(config.checkpoints, folder, files));
  for (const [index, file] of (checkpoints ?? []).entries()) {
    const place = typeof config.checkpoints === 'string' ? ['checkpoints'] : ['checkpoints', index];
    await check(place, () => files.open(file));
  }
  const { log } = config;
  if (log !== undefined)
    await check(['log'], async () => readTrainingLog(await files.open(resolvePath(folder, log, files))));
  const isSound = found.length === before;

  const loss = lossOf(config.loss).kind;
  if (model) await check(['loss', 'model'], () => customLossOf(config, folder, model, files));

  const tokenizer = config.preprocess?.tokenizer;
  if (tokenizer) {
    const place = ['preprocess', 'tokenizer', 'file'];
    const opened = await check(place, async () =>
      openTokenizer(await files.open(resolvePath(folder, tokenizer.file, files))),
    );
    // Texts without their tokenizer say the same again.
    if (!opened) return found;
  }
  let classes = config.classes;
  let examples: number | undefined;
  const open = splitOpener(config, folder, files);
  const splits = Object.entries(config.data).sort(([a], [b]) => Number(b === 'train') - Number(a === 'train'));
  for (const [name, split] of splits) {
    const missing = await missingFiles(datasetFiles(split, folder, files), files);
    const keys = split.format === 'idx' ? ['images', 'labels'] : ['file'];
    for (const index of missing) {
      await check(['data', name, keys[index]!], () => files.open(datasetFiles(split, folder, files)[index]!));
    }
    if (missing.length > 0) continue;
    const dataset = await check(['data', name], () => open(name, classes));
    if (name === 'train') {
      classes ??= dataset?.classes;
      examples = dataset?.length;
    }
    const outputs = model?.outputs ?? classes?.length;
    if (dataset) await check(['data', name], async () => checkSplit(name, dataset, loss, outputs));
  }
  if (isSound) {
    const trajectory = await check(['checkpoints'], () =>
      readTrajectory(config, path, files, {
        ...(model ? { order: [...model.model.graph.initializers.keys()] } : {}),
        ...(examples === undefined ? {} : { examples }),
      }),
    );
    const range = rangeOf(findNodeAtLocation(root, ['optimizer']) ?? root);
    // What lies in other files has no place in this text.
    const own = (trajectory?.problems ?? []).filter(({ file, severity }) => file === path && severity !== 'info');
    found.push(...own.map((problem) => ({ ...problem, range })));
  }
  return found;
}

async function missingFiles(paths: readonly string[], files: Files): Promise<number[]> {
  const present = await Promise.all(paths.map((path) => files.exists(path).catch(() => true)));
  return paths.flatMap((_, index) => (present[index] ? [] : [index]));
}
