import type { Files } from '../../formats/bytes';
import type { Dataset } from '../../formats/dataset';
import { openDataset } from '../../formats/datasets';
import { needsTokenizer } from '../../formats/datasets/textColumn';
import { elementCount } from '../../formats/tensor';
import { toErrorData } from '../../protocol/errors';
import type { Problem } from '../../protocol/model';
import type { FoundSplit } from './discover';

export interface PlannedSplit extends FoundSplit {
  readonly dataset: Dataset;
}

/** For each kind of split the nearest data that fit the model's input; texts where there is a tokenizer for them. */
export async function chooseSplits(
  candidates: readonly FoundSplit[],
  input: number | undefined,
  hasTokenizer: boolean,
  classes: readonly string[] | undefined,
  files: Files,
  problems: Problem[],
): Promise<PlannedSplit[]> {
  const chosen: PlannedSplit[] = [];
  for (const name of ['train', 'validation', 'test']) {
    const own = candidates.filter((split) => split.name === name);
    const reasons: Problem[] = [];
    for (const split of own) {
      try {
        const dataset = await openWithClasses(split, classes, chosen[0]?.dataset.classes, files);
        if (dataset.texts && !hasTokenizer) throw needsTokenizer(dataset.files[0]!);
        const size = elementCount(dataset.featureDims);
        // Pictures in files are resized, and texts are cut.
        const fits = input === undefined || size === input || dataset.pictures?.stored === 'files' || dataset.texts;
        if (fits) {
          chosen.push({ ...split, dataset });
          break;
        }
        const message = `Its examples have ${size} features, the model takes ${input}.`;
        reasons.push({
          severity: 'warning',
          message,
          file: dataset.files[0]!,
          mend: 'Name other data in whence.json.',
        });
      } catch (error) {
        reasons.push(problemOf(error, split.folder));
      }
    }
    if (chosen.some((split) => split.name === name)) continue;
    problems.push(...reasons);
    // Validation data can be asked about as well as test data.
    const isNeeded = name === 'train' || (name === 'test' && chosen.every((split) => split.name === 'train'));
    if (isNeeded) problems.push(missingSplit(name));
  }
  return chosen;
}

async function openWithClasses(
  { config, folder }: FoundSplit,
  classes: readonly string[] | undefined,
  ofTraining: readonly string[] | undefined,
  files: Files,
): Promise<Dataset> {
  if (classes === undefined) return openDataset(config, folder, files, ofTraining);
  try {
    return await openDataset(config, folder, files, classes);
  } catch {
    // The list may be of something else.
    return openDataset(config, folder, files, ofTraining);
  }
}

function missingSplit(name: string): Problem {
  const what = name === 'train' ? 'No training data found.' : 'No test data found: there is nothing to ask about.';
  const mend = `Put IDX, CSV or JSON Lines files with "${name}" in their names into the folder, or name them in whence.json.`;
  return { severity: name === 'train' ? 'error' : 'warning', message: what, mend };
}

/** What was thrown, as a problem; `file` is where the error names none. */
export function problemOf(error: unknown, file: string): Problem {
  const { message, details } = toErrorData(error);
  return { severity: 'error', message, file: details.file ?? file, ...(details.mend ? { mend: details.mend } : {}) };
}
