import { isAbsolute, relative } from 'node:path';
import type { ExampleId, Influence, Label, Location, MethodName, Prediction, TrainingRun } from '../protocol/model';

export function exampleName({ split, index }: ExampleId): string {
  return `${split}:${index}`;
}

/** A class's name, or the number itself where classes have none or the label is no class. */
export function labelName(label: Label, classes: readonly string[]): string {
  if (!Number.isFinite(label)) return 'none';
  return classes[label] ?? (Number.isInteger(label) ? String(label) : label.toPrecision(4));
}

/** `data/test.csv:18` for a line of text, `data/test.parquet row 18` in a table, `data/images.gz #17` in a binary file. */
export function placeName({ file, index, line, row }: Location, from = process.cwd()): string {
  const name = pathName(file, from);
  if (row !== undefined) return `${name} row ${row}`;
  return line === undefined ? `${name} #${index}` : `${name}:${line}`;
}

/** A path as seen from the folder `from` where it lies inside, else whole. */
export function pathName(path: string, from = process.cwd()): string {
  const inside = relative(from, path);
  return inside && !inside.startsWith('..') && !isAbsolute(inside) ? inside : path;
}

/** With its sign always, three digits, in the measurement's own units. */
export function signed(score: number): string {
  const size = Math.abs(score);
  const digits = size !== 0 && (size < 1e-3 || size >= 1e5) ? size.toExponential(2) : size.toPrecision(3);
  return `${score < 0 ? '-' : '+'}${digits}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

export interface Direction {
  /** A heading: what examples of this direction did. */
  readonly heading: string;
  /** Before a score. */
  readonly verb: string;
}

/** What a positive and a negative score mean for the measurement, in words. */
export function directions(measurement: Influence['measurement'], classes: readonly string[]): [Direction, Direction] {
  const name = measuredAt(measurement, classes);
  if (measurement.kind === 'loss') {
    return [
      { heading: `Lowered the loss${name && ` of ${name}`}`, verb: 'lowered the loss' },
      { heading: `Raised the loss${name && ` of ${name}`}`, verb: 'raised the loss' },
    ];
  }
  if (name === '' || measurement.token !== undefined) {
    return [
      { heading: `Raised the ${measurement.kind}`, verb: 'raised' },
      { heading: `Lowered the ${measurement.kind}`, verb: 'lowered' },
    ];
  }
  return [
    { heading: `Pushed towards ${name}`, verb: `towards ${name}` },
    { heading: `Pushed away from ${name}`, verb: `away from ${name}` },
  ];
}

export function measurementName(measurement: Influence['measurement'], classes: readonly string[]): string {
  const name = measuredAt(measurement, classes);
  return name === '' ? `mean ${measurement.kind} of the tokens` : `${measurement.kind} of ${name}`;
}

/** The class or the token that is measured; empty where it is all tokens. */
function measuredAt({ target, token }: Influence['measurement'], classes: readonly string[]): string {
  if (token !== undefined) return `token ${token}`;
  return Number.isFinite(target) ? labelName(target, classes) : '';
}

export const methodNames: Readonly<Record<MethodName, string>> = {
  source: 'SOURCE',
  'fast-source': 'FAST-SOURCE',
  'source-elementwise': "SOURCE, the paper's form for Adam",
  'influence-functions': 'EK-FAC influence functions',
  tracin: 'TracIn',
  trak: 'TRAK',
  'gradient-dot': 'gradient dot product',
  'gradient-cosine': 'gradient cosine',
  'representation-similarity': 'representation similarity',
  'exact-unrolling': 'exact unrolling',
};

/** `label Coat, predicted Pullover (87.2 %), wrong`; for regressions the two numbers. */
export function predictionWords(label: Label, prediction: Prediction, { classes, loss }: TrainingRun): string {
  // Where every token has a label of its own, the mean of their losses is all that can be said in a line.
  if (!Number.isFinite(prediction.predicted)) {
    return `loss ${prediction.loss.toPrecision(4)} a token, perplexity ${Math.exp(prediction.loss).toPrecision(4)}`;
  }
  const given = `label ${labelName(label, classes)}`;
  const predicted = `predicted ${labelName(prediction.predicted, classes)}`;
  if (loss === 'squared-error' || loss === 'absolute-error') return `${given}, ${predicted}`;
  const verdict = prediction.predicted === label ? 'right' : 'wrong';
  return `${given}, ${predicted} (${percent(prediction.confidence)}), ${verdict}`;
}

/** What truncating queries cost, in per cent of their norm. */
export function truncationWords({ rank, relativeError }: NonNullable<Influence['truncation']>): string {
  return `queries in rank ${rank}, which leaves out ${(100 * relativeError).toPrecision(2)} % of their norm`;
}
