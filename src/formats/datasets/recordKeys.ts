import { WhenceError } from '../../protocol/errors';
import { type ArrayKeys, isNumberArray, isSequenceKey, type Place, type Row } from './exampleArrays';
import { findLabelName } from './labels';

export interface RecordKeys {
  /** Default: a key called label, target, class or y. */
  readonly label?: string;
  /**
   * A key that holds an array of numbers (nested for images), keys of one number each, or keys of several arrays (token ids
   * and their mask). Default: found in the first record.
   */
  readonly features?: string | readonly string[];
}

export interface ReadKeys {
  readonly features: string | readonly string[];
  readonly label: string | undefined;
}

/** What of a record is what. */
export interface FoundKeys extends ReadKeys {
  /** The label, where it is a list with one label a token. */
  readonly tokenLabels: string | undefined;
  /** Arrays to read: that of the features first. */
  readonly arrays: readonly ArrayKeys[];
}

/** Keys that hold an example's features as one array, in order of preference. */
const featureNames = ['features', 'x', 'input', 'inputs', 'data', 'pixels', 'image', 'img', 'values'];

/** Tells label and features of records by their names and by what the first one holds; `config-invalid` where it cannot. */
export function findKeys(first: Row, { label: wanted, features: given }: RecordKeys, place: Place): FoundKeys {
  const label = wanted ?? findLabelName(Object.keys(first));
  const tokenLabels = label !== undefined && Array.isArray(first[label]) ? label : undefined;
  const features = given ?? guessFeatures(first, label, place);
  return { label, features, tokenLabels, arrays: arrayKeys(first, features, tokenLabels) };
}

/** A key that holds an array is one of its own; keys that hold one number each are one array together. */
function arrayKeys(
  first: Row,
  features: string | readonly string[],
  tokenLabels: string | undefined,
): readonly ArrayKeys[] {
  const of = (key: string): ArrayKeys => ({ name: key, keys: [key], ragged: isSequenceKey(key), filler: 0 });
  const labels = tokenLabels === undefined ? [] : [{ ...of(tokenLabels), ragged: true, filler: -1 }];
  if (typeof features === 'string') return [of(features), ...labels];
  const numbers = features.filter((key) => !isNumberArray(first[key]));
  const own = features.filter((key) => isNumberArray(first[key])).map(of);
  const together = numbers.length > 0 ? [{ name: 'features', keys: numbers, ragged: false, filler: 0 }] : [];
  return [...together, ...own, ...labels];
}

function guessFeatures(row: Row, label: string | undefined, place: Place): string | readonly string[] {
  const rest = Object.keys(row).filter((key) => key !== label);
  const arrays = rest.filter((key) => isNumberArray(row[key]));
  const sequences = arrays.filter(isSequenceKey);
  if (sequences.length > 0) return sequences.length === 1 ? sequences[0]! : sequences;
  const named = featureNames.find((name) => arrays.includes(name)) ?? (arrays.length === 1 ? arrays[0] : undefined);
  if (named !== undefined) return named;
  const numbers = rest.filter((key) => typeof row[key] === 'number');
  if (numbers.length > 0 && arrays.length === 0) return numbers;
  throw new WhenceError('config-invalid', `Which of the keys ${rest.join(', ')} are the features cannot be told.`, {
    file: place.file,
    place: place.place,
    mend: 'Name the key or keys in `features` of whence.json.',
  });
}
