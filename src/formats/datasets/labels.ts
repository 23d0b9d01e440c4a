import { type ErrorDetails, WhenceError } from '../../protocol/errors';
import type { Dataset } from '../dataset';

/** Names that a label column or key goes by, in order of preference. */
const labelNames = ['label', 'target', 'class', 'y', 'labels', 'targets'];

/** The one of `names` that is called like a label, whatever its case. */
export function findLabelName(names: readonly string[]): string | undefined {
  for (const wanted of labelNames) {
    const found = names.find((name) => name.trim().toLowerCase() === wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

export interface EncodedLabels {
  readonly labels: Float64Array;
  /** Present where labels are names. */
  readonly classes?: readonly string[];
}

/**
 * Label cells as numbers. Numbers stay as they are, empty cells become NaN, names become their index in `classes`, or
 * without such a list in the sorted list of all names. `label-out-of-range` for a name that `classes` lacks.
 */
export function encodeLabels(
  cells: readonly string[],
  classes: readonly string[] | undefined,
  where: (row: number) => ErrorDetails,
): EncodedLabels {
  const texts = cells.map((cell) => cell.trim());
  const names = new Set(texts.filter((text) => text !== ''));
  const known = classes && new Map(classes.map((name, index) => [name, index]));
  const allNumbers = [...names].every((name) => Number.isFinite(Number(name)));
  if (allNumbers && !(known && names.size > 0 && [...names].every((name) => known.has(name)))) {
    return { labels: Float64Array.from(texts, (text) => (text === '' ? Number.NaN : Number(text))) };
  }
  const list = classes ?? [...names].sort();
  const indexOf = known ?? new Map(list.map((name, index) => [name, index]));
  const labels = new Float64Array(texts.length);
  texts.forEach((text, row) => {
    const index = text === '' ? Number.NaN : indexOf.get(text);
    if (index === undefined) {
      throw new WhenceError('label-out-of-range', `The label "${text}" is none of the classes: ${list.join(', ')}.`, {
        ...where(row),
        mend: "Correct the label, or list every class in `classes` of whence.json in the order of the model's outputs.",
      });
    }
    labels[row] = index;
  });
  return { labels, classes: list };
}

/** Fails with `label-out-of-range` where a label is no whole number from 0 to `classes - 1`; missing labels (NaN) pass. */
export function checkLabels(dataset: Pick<Dataset, 'labels' | 'files' | 'locate'>, classes: number): void {
  const { labels } = dataset;
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index]!;
    if (Number.isNaN(label) || (Number.isInteger(label) && label >= 0 && label < classes)) continue;
    const location = dataset.locate(index);
    throw new WhenceError(
      'label-out-of-range',
      `Example ${index} has the label ${label}, but the model has the classes 0 to ${classes - 1}.`,
      {
        // IDX keeps its labels in the second file.
        file: location.line === undefined ? (dataset.files.at(-1) ?? location.file) : location.file,
        place: location.line === undefined ? `example ${index}` : `line ${location.line}`,
        mend: 'Correct the label, or name the model whose outputs are these classes.',
      },
    );
  }
}
