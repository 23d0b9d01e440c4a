import type { FileEntry, Files } from '../../formats/bytes';
import type { DatasetConfig } from '../../formats/dataset';
import { isIdx } from '../../formats/datasets/idxFile';
import { splitOf } from '../../formats/datasets/splitNames';
import type { CancelSignal } from '../../protocol/cancel';
import type { Problem } from '../../protocol/model';
import { type CheckpointGroup, groupCheckpoints } from './checkpointGroups';
import { findCheckpointFiles } from './findCheckpoints';
import { findPictureSplits } from './findPictures';
import { findTableSplits } from './findTables';
import { walk } from './walk';

/** Data that may be a split of some run, by its names; paths are absolute. */
export interface FoundSplit {
  readonly name: string;
  readonly folder: string;
  readonly config: DatasetConfig;
}

/** What a workspace holds that runs are made of; nothing is put together yet. */
export interface Discovery {
  readonly folder: string;
  readonly configs: readonly string[];
  readonly checkpoints: readonly CheckpointGroup[];
  readonly models: readonly string[];
  readonly logs: readonly string[];
  readonly splits: readonly FoundSplit[];
  /** Python files that may be the training script, and lists of classes. */
  readonly scripts: readonly string[];
  readonly classLists: readonly string[];
  readonly tokenizers: readonly string[];
  readonly problems: readonly Problem[];
}

const logNames = /(^|[-_. ])(log|logs|metrics|history|progress|lr)([-_. ]|$)/i;
const idxNames = /(idx\d|ubyte|\.idx(\.gz)?$)/i;
const textData = /\.(csv|tsv|jsonl|ndjson)(\.gz)?$/i;
/** Data where there is a tokenizer for them. */
const plainText = /\.(txt|text)(\.gz)?$/i;

/** Walks a workspace and tells its files apart: by content where that is cheap, text files by their names alone. */
export async function discover(folder: string, files: Files, signal?: CancelSignal): Promise<Discovery> {
  const { entries, problems } = await walk(folder, files, signal);
  const named = (pattern: RegExp) => entries.filter(({ name }) => pattern.test(name)).map(({ path }) => path);
  const { checkpoints, problems: unread } = await findCheckpointFiles(entries, files);
  return {
    folder,
    configs: named(/^whence\.json$/),
    checkpoints: groupCheckpoints(checkpoints, files),
    models: named(/\.onnx$/i),
    logs: entries.filter(({ name }) => /\.csv$/i.test(name) && logNames.test(name)).map(({ path }) => path),
    splits: [
      ...(await findIdxSplits(entries, files)),
      ...findTextSplits(entries, files),
      ...(await findTableSplits(entries, files)),
      ...findPictureSplits(entries, folder, splitOf, files),
    ],
    scripts: named(/\.py$/i),
    classLists: named(/^(classes|class_names|labels)\.txt$/i),
    tokenizers: named(/^tokenizer\.json$/),
    problems: [...problems, ...unread],
  };
}

/** Image files (rank 2 and more) with the label file (rank 1) of the same name. */
async function findIdxSplits(entries: readonly FileEntry[], files: Files): Promise<FoundSplit[]> {
  const ranks = new Map<string, number>();
  for (const { path, name } of entries.filter((entry) => idxNames.test(entry.name))) {
    const head = await readHead(path, files);
    if (head && isIdx(head) && !/\.onnx$/i.test(name)) ranks.set(path, head[3]!);
  }
  const labelKey = (path: string) =>
    `${files.dirname(path)}/${files
      .basename(path)
      .toLowerCase()
      .replace(/\.gz$/, '')
      .replace(/images?|labels?/, '*')
      .replace(/idx\d/, 'idx')}`;
  const labels = new Map([...ranks].flatMap(([path, rank]) => (rank === 1 ? [[labelKey(path), path] as const] : [])));
  return [...ranks].flatMap(([path, rank]) => {
    const split = splitOf(files.basename(path)) ?? splitOf(files.basename(files.dirname(path)));
    if (rank === 1 || split === undefined) return [];
    const own = labels.get(labelKey(path));
    const config = { format: 'idx' as const, images: path, ...(own === undefined ? {} : { labels: own }) };
    return [{ name: split, folder: files.dirname(path), config }];
  });
}

async function readHead(path: string, files: Files): Promise<Uint8Array | undefined> {
  try {
    const source = await files.open(path);
    return await source.read(0, Math.min(16, source.size));
  } catch {
    // Damaged data are reported when a run uses them, not when they merely lie about.
    return undefined;
  }
}

/** Text files are told by their names only: what is not called after a split is nobody's data and stays unread. */
function findTextSplits(entries: readonly FileEntry[], files: Files): FoundSplit[] {
  const hasTokenizer = entries.some(({ name }) => name === 'tokenizer.json');
  return entries.flatMap(({ name, path }): FoundSplit[] => {
    const isData = textData.test(name) || (hasTokenizer && plainText.test(name));
    const split = isData && !logNames.test(name) ? splitOf(name) : undefined;
    if (split === undefined) return [];
    if (plainText.test(name))
      return [{ name: split, folder: files.dirname(path), config: { format: 'text', file: path } }];
    const format = /\.(jsonl|ndjson)(\.gz)?$/i.test(name) ? ('jsonl' as const) : ('csv' as const);
    return [{ name: split, folder: files.dirname(path), config: { format, file: path } }];
  });
}
