import type { Files } from '../../formats/bytes';
import type { Dataset } from '../../formats/dataset';
import { openDataset, resolvePath } from '../../formats/datasets';
import { checkLabels } from '../../formats/datasets/labels';
import { needsTokenizer } from '../../formats/datasets/textColumn';
import { tokenizedDataset } from '../../formats/tokenized';
import { openTokenizer, type Tokenizer } from '../../formats/tokenizer/tokenizer';
import { WhenceError } from '../../protocol/errors';
import type { LossKind } from '../../protocol/model';
import type { RunConfig } from '../config/config';
import type { OpenRun } from './openRun';

/** A run's splits by name, the training one first. */
export async function openSplits(config: RunConfig, folder: string, files: Files): Promise<Map<string, Dataset>> {
  const open = splitOpener(config, folder, files);
  const train = await open('train', config.classes);
  const splits = new Map([['train', train]]);
  for (const name of Object.keys(config.data)) {
    if (name !== 'train') splits.set(name, await open(name, config.classes ?? train.classes));
  }
  return splits;
}

/** Opens splits by their names as the run reads them: texts as token ids, by the tokenizer that the configuration names. */
export function splitOpener(
  { data, preprocess }: Pick<RunConfig, 'data' | 'preprocess'>,
  folder: string,
  files: Files,
): (name: string, classes: readonly string[] | undefined) => Promise<Dataset> {
  const config = preprocess?.tokenizer;
  let tokenizer: Promise<Tokenizer> | undefined;
  return async (name, classes) => {
    const dataset = await openDataset(data[name]!, folder, files, classes);
    if (!dataset.texts) return dataset;
    if (!config) throw needsTokenizer(dataset.files[0]!);
    tokenizer ??= files.open(resolvePath(folder, config.file, files)).then(openTokenizer);
    return tokenizedDataset(dataset, { tokenizer: await tokenizer, config });
  };
}

/** Whether every token of an example has a label of its own. */
export function isPerToken(splits: ReadonlyMap<string, Dataset>, loss: LossKind): boolean {
  return loss === 'next-token' || splits.get('train')!.tokenLabels !== undefined;
}

/** Whether an example has one label and it is a class. */
export function isClassifier({ splits, loss }: Pick<OpenRun, 'splits' | 'loss'>): boolean {
  return (loss === 'cross-entropy' || loss === 'binary-cross-entropy') && !isPerToken(splits, loss);
}

/**
 * Refuses a split without examples, or with labels that its loss cannot have been trained on.
 * @param classes how many the model has, where its file or the data say it
 */
export function checkSplit(name: string, split: Dataset, loss: LossKind, classes: number | undefined): void {
  if (split.length === 0) {
    throw new WhenceError('empty-data', 'The file holds no examples.', {
      file: split.files[0]!,
      mend: 'Write the examples again, or name another file in whence.json.',
    });
  }
  if (loss === 'next-token' || split.tokenLabels !== undefined) {
    if (loss === 'next-token' || loss === 'cross-entropy') return;
    throw new WhenceError('malformed-file', `The labels are lists, one a token, which do not go with ${loss}.`, {
      file: split.files.at(-1)!,
      mend: 'Set "loss" to "next-token" or "cross-entropy", or name another label in whence.json.',
    });
  }
  if (loss === 'cross-entropy' && classes !== undefined) checkLabels(split, classes);
  if (loss === 'binary-cross-entropy') checkLabels(split, 2);
  const missing = name === 'train' ? split.labels.findIndex(Number.isNaN) : -1;
  if (missing >= 0) {
    const { file, line } = split.locate(missing);
    throw new WhenceError('label-out-of-range', 'A training example has no label.', {
      file: split.labelFile ?? file,
      place: line === undefined ? `example ${missing}` : `line ${line}`,
      mend: 'Every training example needs the label that training saw.',
    });
  }
}
