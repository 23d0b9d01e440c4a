import type { FileEntry, Files } from '../../formats/bytes';
import type { DatasetConfig } from '../../formats/datasetConfig';
import { arrayEntries, npzSplits } from '../../formats/datasets/npz';
import { roleOf, splitOf } from '../../formats/datasets/splitNames';
import type { FoundSplit } from './discover';

/**
 * Splits among tables (Parquet, Arrow), NumPy's arrays and batches of CIFAR: told by the names of files, of their folders, or
 * of the arrays in an archive. Parts (`train-00000-of-00002.parquet`) are put together in their order.
 */
export async function findTableSplits(entries: readonly FileEntry[], files: Files): Promise<FoundSplit[]> {
  return [
    ...findParts(entries, /\.parquet$/i, 'parquet', files),
    // Beside a data set of Hugging Face lie its cached ones.
    ...findParts(
      entries.filter(({ name }) => !/^(cache|indices|tmp)/i.test(name)),
      /\.(arrow|feather)$/i,
      'arrow',
      files,
    ),
    ...findArrays(entries, files),
    ...(await findArchives(entries, files)),
    ...findCifar(entries, files),
  ];
}

function findParts(
  entries: readonly FileEntry[],
  ending: RegExp,
  format: 'parquet' | 'arrow',
  files: Files,
): FoundSplit[] {
  const groups = new Map<string, string[]>();
  for (const { path, name } of entries.filter((entry) => ending.test(entry.name))) {
    const stem = name.replace(ending, '').replace(/-\d+-of-\d+(-[0-9a-f]+)?$|[-_.]?\d+$/i, '');
    const key = files.join(files.dirname(path), stem);
    groups.set(key, [...(groups.get(key) ?? []), path]);
  }
  return [...groups].flatMap(([key, paths]) => {
    const folder = files.dirname(paths[0]!);
    const name = splitOf(files.basename(key)) ?? splitOf(files.basename(folder));
    if (name === undefined) return [];
    const file = paths.length === 1 ? paths[0]! : paths.sort(byNumbers);
    return [{ name, folder, config: { format, file } }];
  });
}

/** `part-2` before `part-10`. */
function byNumbers(a: string, b: string): number {
  const [first, second] = [a, b].map((path) => path.replace(/\d+/g, (digits) => digits.padStart(12, '0')));
  return first! < second! ? -1 : 1;
}

/** `x_train.npy` with `y_train.npy`, `train/images.npy` with `train/labels.npy`. */
function findArrays(entries: readonly FileEntry[], files: Files): FoundSplit[] {
  const arrays = entries.flatMap(({ path, name }) => {
    const stem = name.replace(/\.npy$/i, '');
    const folder = files.dirname(path);
    const split = splitOf(stem) ?? splitOf(files.basename(folder));
    const isNamed = stem !== name && split !== undefined;
    const role = roleOf(stem) ?? (splitOf(stem) === undefined ? undefined : 'features');
    return isNamed && role ? [{ path, folder, split, role }] : [];
  });
  return arrays.flatMap(({ path, folder, split, role }) => {
    if (role !== 'features') return [];
    const labels = arrays.find((one) => one.role === 'labels' && one.folder === folder && one.split === split)?.path;
    const config = { format: 'npy' as const, file: path, ...(labels === undefined ? {} : { labels }) };
    return [{ name: split, folder, config }];
  });
}

async function findArchives(entries: readonly FileEntry[], files: Files): Promise<FoundSplit[]> {
  const found: FoundSplit[] = [];
  for (const { path, name } of entries.filter((entry) => /\.npz$/i.test(entry.name))) {
    // A damaged archive is reported when a run uses it, not when it merely lies about.
    const names = await arrayNames(path, files).catch(() => []);
    const folder = files.dirname(path);
    for (const [own, arrays] of npzSplits(names)) {
      const split = own || (splitOf(name.replace(/\.npz$/i, '')) ?? splitOf(files.basename(folder)));
      if (split) found.push({ name: split, folder, config: { format: 'npz', file: path, ...arrays } });
    }
  }
  return found;
}

async function arrayNames(path: string, files: Files): Promise<string[]> {
  return [...(await arrayEntries(await files.open(path))).keys()];
}

const cifarNames: readonly (readonly [string, RegExp])[] = [
  ['train', /^data_batch_\d+(\.bin)?$/i],
  ['test', /^test_batch(\.bin)?$/i],
];
const cifarHundredNames: readonly (readonly [string, RegExp])[] = [
  ['train', /^train(\.bin)?$/i],
  ['test', /^test(\.bin)?$/i],
];

/** Batches by the names under which they are offered; those of CIFAR-100 only in its own folder. */
function findCifar(entries: readonly FileEntry[], files: Files): FoundSplit[] {
  const folders = new Set(entries.map(({ path }) => files.dirname(path)));
  return [...folders].flatMap((folder) => {
    const own = entries.filter(({ path }) => files.dirname(path) === folder);
    const names = /cifar-?100/i.test(files.basename(folder)) ? cifarHundredNames : cifarNames;
    return names.flatMap(([name, pattern]) => {
      const paths = own.filter((entry) => pattern.test(entry.name)).map(({ path }) => path);
      if (paths.length === 0) return [];
      const config: DatasetConfig = { format: 'cifar', file: paths.length === 1 ? paths[0]! : paths.sort(byNumbers) };
      return [{ name, folder, config }];
    });
  });
}
