import { type ErrorDetails, WhenceError } from '../../protocol/errors';
import type { Dataset } from '../dataset';
import { GrowingArray } from './growingArray';

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

export function noLabels(examples: number): EncodedLabels {
  return { labels: new Float64Array(examples).fill(Number.NaN) };
}

/** More different names than any classifier has classes; their list would fill the memory. */
const mostNames = 1_000_000;
const shownNames = 20;

/**
 * Label cells as numbers, given one by one. Numbers stay as they are, empty cells become NaN, names become their index in
 * `classes`, or without such a list in the sorted list of all names. Numbers are names where all of them are such, or where
 * a cell is no number. `label-out-of-range` for a name that `classes` lacks; `where` tells its place.
 */
export class LabelEncoder {
  /** Undefined once a cell was no number. */
  private numbers: GrowingArray | undefined = new GrowingArray();
  /** Indices of names; undefined while, without `classes`, all are numbers, and once one is not known. */
  private named: GrowingArray | undefined;
  private readonly names: Map<string, number>;
  private unknown: { readonly name: string; readonly row: number } | undefined;
  private row = 0;

  constructor(
    private readonly classes: readonly string[] | undefined,
    private readonly where: (row: number) => ErrorDetails,
  ) {
    this.names = new Map(classes?.map((name, index) => [name, index]));
    if (classes) this.named = new GrowingArray();
  }

  add(text: string): void {
    const cell = text.trim();
    const value = cell === '' ? Number.NaN : Number(cell);
    if (cell === '' || Number.isFinite(value)) this.addNumber(value, cell);
    else {
      this.leaveNumbers();
      this.addName(cell);
      this.row++;
    }
  }

  /** A number as the file has it; NaN where there is none. */
  addNumber(value: number, cell = Number.isNaN(value) ? '' : String(value)): void {
    this.numbers?.push(value);
    if (this.named) this.addName(cell);
    this.row++;
  }

  finish(): EncodedLabels {
    const { numbers, named, classes } = this;
    const areNames = named && (!numbers || this.someName);
    if (!areNames) return { labels: numbers!.finish() };
    const labels = named.finish();
    if (classes) return { labels, classes };
    const sorted = [...this.names.keys()].sort();
    const place = new Float64Array(sorted.length);
    sorted.forEach((name, index) => {
      place[this.names.get(name)!] = index;
    });
    return { labels: labels.map((index) => (Number.isNaN(index) ? index : place[index]!)), classes: sorted };
  }

  private someName = false;

  private addName(name: string): void {
    if (name === '') {
      this.named?.push(Number.NaN);
      return;
    }
    let index = this.names.get(name);
    if (index === undefined && this.classes) {
      this.unknown ??= { name, row: this.row };
      this.named = undefined;
      this.refuseUnknown();
      return;
    }
    if (index === undefined) {
      index = this.names.size;
      if (index === mostNames) throw this.tooMany();
      this.names.set(name, index);
    }
    this.someName = true;
    this.named?.push(index);
  }

  private leaveNumbers(): void {
    const { numbers } = this;
    if (!numbers) return;
    this.numbers = undefined;
    this.refuseUnknown();
    if (this.classes) return;
    this.named = new GrowingArray();
    for (let row = 0; row < numbers.length; row++) {
      const value = numbers.at(row);
      this.addName(Number.isNaN(value) ? '' : String(value));
    }
  }

  /** A name that is not known is wrong once it is sure that labels are names. */
  private refuseUnknown(): void {
    if (this.numbers || !this.unknown) return;
    const list = this.classes ?? [];
    const shown = [...list.slice(0, shownNames), ...(list.length > shownNames ? ['…'] : [])].join(', ');
    throw new WhenceError('label-out-of-range', `The label "${this.unknown.name}" is none of the classes: ${shown}.`, {
      ...this.where(this.unknown.row),
      mend: "Correct the label, or list every class in `classes` of whence.json in the order of the model's outputs.",
    });
  }

  private tooMany(): WhenceError {
    return new WhenceError('config-invalid', `There are more than ${mostNames} different names among the labels.`, {
      ...this.where(this.row),
      mend: 'Name the label in whence.json: this one holds no classes.',
    });
  }
}

/** The same for cells that are all there. */
export function encodeLabels(
  cells: readonly string[],
  classes: readonly string[] | undefined,
  where: (row: number) => ErrorDetails,
): EncodedLabels {
  const encoder = new LabelEncoder(classes, where);
  for (const cell of cells) encoder.add(cell);
  return encoder.finish();
}

/** Fails with `label-out-of-range` where a label is no whole number from 0 to `classes - 1`; missing labels (NaN) pass. */
export function checkLabels(dataset: Pick<Dataset, 'labels' | 'labelFile' | 'locate'>, classes: number): void {
  const { labels } = dataset;
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index]!;
    if (Number.isNaN(label) || (Number.isInteger(label) && label >= 0 && label < classes)) continue;
    const location = dataset.locate(index);
    throw new WhenceError(
      'label-out-of-range',
      `Example ${index} has the label ${label}, but the model has the classes 0 to ${classes - 1}.`,
      {
        file: dataset.labelFile ?? location.file,
        place: location.line === undefined ? `example ${index}` : `line ${location.line}`,
        mend: 'Correct the label, or name the model whose outputs are these classes.',
      },
    );
  }
}
