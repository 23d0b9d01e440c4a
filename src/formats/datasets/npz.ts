import { inflateSync } from 'fflate';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { heldBytes } from '../heldBytes';
import { locateStored, readZip, type ZipEntry } from '../zip';
import { arrayDataset } from './arrayDataset';
import { noLabels } from './labels';
import { openNpyRows, readNpyLabels } from './npyRows';
import { roleOf, splitOf } from './splitNames';

/** Arrays of an archive that belong together. */
export interface NpzArrays {
  readonly features: string;
  readonly label?: string;
}

/** A compressed array is unpacked in memory. */
const largestUnpacked = 2 ** 31;
/** What deflate makes of one byte at most. */
const mostInflation = 1032;

/**
 * Features and labels among the arrays of a .npz file: https://numpy.org/doc/stable/reference/generated/numpy.savez.html. By
 * default those of the training split, or those whose names say it (`x` and `y`, `images` and `labels`).
 */
export async function openNpzDataset(
  source: ByteSource,
  names: { readonly features?: string; readonly label?: string } = {},
  classes?: readonly string[],
): Promise<Dataset> {
  const entries = await arrayEntries(source);
  const guess = npzSplits([...entries.keys()]);
  const guessed = guess.get('train') ?? guess.get('') ?? [...guess.values()][0];
  const features = names.features ?? guessed?.features;
  if (features === undefined) {
    throw new WhenceError('config-invalid', `Which of the arrays ${listed(entries)} are the features cannot be told.`, {
      file: source.path,
      mend: 'Name the array of features in `features` of whence.json, that of labels in `label`.',
    });
  }
  const label = names.label ?? [...guess.values()].find((one) => one.features === features)?.label;
  const rows = await openNpyRows(await openEntry(source, entries, features));
  const labels =
    label === undefined
      ? noLabels(rows.count)
      : await readNpyLabels(await openEntry(source, entries, label), rows.count, features, classes);
  return arrayDataset('npz', [source.path], { ...rows, locate: (index) => ({ file: source.path, index }) }, labels);
}

/** The arrays of each split by their names; under '' where names speak of no split. */
export function npzSplits(names: readonly string[]): Map<string, NpzArrays> {
  const splits = new Map<string, NpzArrays>();
  for (const features of names) {
    const split = splitOf(features) ?? '';
    if (roleOf(features) !== 'features' || splits.has(split)) continue;
    const label = names.find((name) => roleOf(name) === 'labels' && (splitOf(name) ?? '') === split);
    splits.set(split, { features, ...(label === undefined ? {} : { label }) });
  }
  return splits;
}

/** The arrays of an archive by their names. */
export async function arrayEntries(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const entries = [...(await readZip(source)).values()].filter(({ name }) => name.endsWith('.npy'));
  if (entries.length > 0) return new Map(entries.map((entry) => [entry.name.slice(0, -'.npy'.length), entry]));
  throw new WhenceError('empty-data', 'The archive holds no arrays.', {
    file: source.path,
    mend: 'Write it with numpy.savez(path, x_train=..., y_train=...).',
  });
}

async function openEntry(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  name: string,
): Promise<ByteSource> {
  const entry = entries.get(name);
  if (!entry) {
    throw new WhenceError('config-invalid', `There is no array "${name}"; the archive holds ${listed(entries)}.`, {
      file: source.path,
      mend: 'Name one of these arrays in whence.json.',
    });
  }
  const place = { file: source.path, place: `entry ${entry.name}` };
  if (entry.method !== 8 || entry.isEncrypted) {
    const offset = await locateStored(source, entry);
    return within(source, offset, entry.size);
  }
  if (entry.size > largestUnpacked || entry.size > mostInflation * entry.packedSize + mostInflation) {
    throw new WhenceError('malformed-file', `${entry.name} claims to unpack to ${entry.size} bytes.`, {
      ...place,
      mend: 'Write the archive without compression: numpy.savez(path, ...).',
    });
  }
  const offset = await locateStored(source, { ...entry, method: 0, size: entry.packedSize });
  const packed = await source.read(offset, entry.packedSize);
  try {
    const bytes = inflateSync(packed, { out: new Uint8Array(entry.size) });
    if (bytes.length === entry.size) return heldBytes(source.path, bytes);
  } catch (cause) {
    throw new WhenceError('malformed-file', `${entry.name} cannot be unpacked.`, place, { cause });
  }
  throw new WhenceError('malformed-file', `${entry.name} unpacks to other than ${entry.size} bytes.`, place);
}

/** Bytes of a file as a file of their own. */
function within(source: ByteSource, start: number, size: number): ByteSource {
  return {
    path: source.path,
    size,
    async read(offset, length) {
      if (offset + length <= size) return source.read(start + offset, length);
      throw new WhenceError('truncated-file', `The array ends at byte ${size} of its entry.`, { file: source.path });
    },
  };
}

function listed(entries: ReadonlyMap<string, ZipEntry>): string {
  return [...entries.keys()].slice(0, 20).join(', ');
}
