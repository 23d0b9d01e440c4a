import { WhenceError } from '../../protocol/errors';
import type { Dataset } from '../dataset';
import { isNumberArray, type Place, type Row } from './exampleArrays';
import { checkIndices } from './indices';
import { findLabelName, LabelEncoder } from './labels';
import type { RecordKeys } from './recordKeys';
import { addLabel, type Records } from './records';
import { noNumbers, textNames, textPreview } from './textColumn';

/** The key that holds the text of a record, where texts are what its examples are; undefined where they are numbers. */
export function findTextKey(first: Row, { features, label }: RecordKeys): string | undefined {
  const isText = (key: string) => typeof first[key] === 'string';
  const named = typeof features === 'string' ? features : features?.length === 1 ? features[0] : undefined;
  if (features !== undefined) return named !== undefined && isText(named) ? named : undefined;
  const own = label ?? findLabelName(Object.keys(first));
  const rest = Object.keys(first).filter((key) => key !== own);
  if (rest.some((key) => isNumberArray(first[key]))) return undefined;
  return (
    textNames.find((name) => rest.includes(name) && isText(name)) ?? (rest.length === 1 ? rest.find(isText) : undefined)
  );
}

/** Records whose features are one text each. */
export async function textRecords(
  records: Records,
  key: string,
  { label: wanted }: RecordKeys,
  classes: readonly string[] | undefined,
): Promise<Dataset> {
  const file = records.files[0]!;
  const first = (await records.rows(0, 1))[0]!;
  const label = wanted ?? findLabelName(Object.keys(first).filter((name) => name !== key));
  const names = label === undefined ? undefined : records.classNames(label);
  const encoder = new LabelEncoder(classes ?? names, (index) => {
    const { file: own, place } = records.place(index);
    return { file: own, place: label === undefined ? place : `${place}, key ${label}` };
  });
  if (label === undefined) for (let index = 0; index < records.length; index++) encoder.addNumber(Number.NaN);
  else await readLabels(records, label, encoder);
  const encoded = encoder.finish();
  const read = async (from: number, to: number) =>
    (await records.rows(from, to, [key])).map((row, offset) => textOf(row, key, records.place(from + offset)));
  return {
    format: records.format,
    files: records.files,
    length: records.length,
    featureDims: [],
    labels: encoded.labels,
    texts: { read, blockEnd: records.blockEnd },
    ...((encoded.classes ?? names) ? { classes: (encoded.classes ?? names)! } : {}),
    batch: () => noNumbers(file),
    async preview(index) {
      checkIndices([index], records.length, file);
      return textPreview((await read(index, index + 1))[0]!);
    },
    locate: (index) => records.locate(index),
    ...(records.indexAtLine ? { indexAtLine: records.indexAtLine } : {}),
  };
}

async function readLabels(records: Records, label: string, encoder: LabelEncoder): Promise<void> {
  for (let from = 0; from < records.length; ) {
    const to = records.blockEnd(from);
    const rows = await records.rows(from, to, [label]);
    rows.forEach((row, offset) => {
      addLabel(row, label, encoder, records.place(from + offset));
    });
    from = to;
  }
}

function textOf(row: Row, key: string, { file, name, place }: Place): string {
  const value = row[key];
  if (typeof value === 'string') return value;
  const found = value === undefined ? 'nothing' : `${JSON.stringify(value)}`.slice(0, 40);
  throw new WhenceError('malformed-file', `${name} has ${found} under "${key}", where a text is needed.`, {
    file,
    place: `${place}, key ${key}`,
    mend: 'Correct it, or name another key in `features` of whence.json.',
  });
}
