import { WhenceError } from '../../protocol/errors';
import type { ByteSource, Files } from '../bytes';
import type { Dataset } from '../dataset';
import type { DatasetConfig, DatasetFormatName } from '../datasetConfig';
import { openCsvDataset } from './csv';
import { openIdxDataset } from './idx';
import { isIdx } from './idxFile';
import { openJsonlDataset } from './jsonl';
import { isNpy, openNpyDataset } from './npy';

export { checkLabels } from './labels';

type OpenFile = (path: string) => Promise<ByteSource>;
type MapPath = (path: string) => string;

/** A way in which examples are stored. */
export interface DatasetFormat<F extends DatasetFormatName> {
  readonly name: F;
  /** True for a file that may be of this format, by its first bytes (text formats: by its name too). */
  recognise(head: Uint8Array, name: string): boolean;
  /** The configuration with which to look at one file alone. */
  describe(path: string): DatasetConfig<F>;
  /** Paths in a configuration, as they stand there. */
  paths(config: DatasetConfig<F>): readonly string[];
  /** The configuration with other paths in their places. */
  relocate(config: DatasetConfig<F>, map: MapPath): DatasetConfig<F>;
  open(config: DatasetConfig<F>, openFile: OpenFile, classes?: readonly string[]): Promise<Dataset>;
}

type FormatTable = { readonly [F in DatasetFormatName]: DatasetFormat<F> };

export const datasetFormats: FormatTable = {
  idx: {
    name: 'idx',
    recognise: isIdx,
    describe: (path) => ({ format: 'idx', images: path }),
    paths: ({ images, labels }) => (labels === undefined ? [images] : [images, labels]),
    relocate: (config, map) => ({
      ...config,
      images: map(config.images),
      ...(config.labels === undefined ? {} : { labels: map(config.labels) }),
    }),
    open: async ({ images, labels }, openFile) =>
      openIdxDataset(await openFile(images), labels === undefined ? undefined : await openFile(labels)),
  },
  csv: {
    name: 'csv',
    recognise: (_, name) => /\.(csv|tsv)(\.gz)?$/i.test(name),
    describe: (path) => ({ format: 'csv', file: path }),
    paths: ({ file }) => [file],
    relocate: (config, map) => ({ ...config, file: map(config.file) }),
    open: async (config, openFile, classes) => openCsvDataset(await openFile(config.file), config, classes),
  },
  jsonl: {
    name: 'jsonl',
    recognise: (head, name) => /\.(jsonl|ndjson)(\.gz)?$/i.test(name) && head.includes(0x7b),
    describe: (path) => ({ format: 'jsonl', file: path }),
    paths: ({ file }) => [file],
    relocate: (config, map) => ({ ...config, file: map(config.file) }),
    open: async (config, openFile, classes) => openJsonlDataset(await openFile(config.file), config, classes),
  },
  npy: {
    name: 'npy',
    recognise: isNpy,
    describe: (path) => ({ format: 'npy', file: path }),
    paths: ({ file, labels }) => (labels === undefined ? [file] : [file, labels]),
    relocate: (config, map) => ({
      ...config,
      file: map(config.file),
      ...(config.labels === undefined ? {} : { labels: map(config.labels) }),
    }),
    open: async ({ file, labels }, openFile, classes) =>
      openNpyDataset(await openFile(file), labels === undefined ? undefined : await openFile(labels), classes),
  },
};

/** The table's entry of a configuration's own format. */
export function formatOf<F extends DatasetFormatName>(config: DatasetConfig<F>): DatasetFormat<F> {
  return datasetFormats[config.format];
}

/**
 * Opens a split. Paths in `config` are relative to `folder`. `classes` are the names to look label names up in: those of
 * the run, or of its training split for all others; by default the file's own names, sorted.
 */
export function openDataset(
  config: DatasetConfig,
  folder: string,
  files: Files,
  classes?: readonly string[],
): Promise<Dataset> {
  const openFile = (path: string) => files.open(resolvePath(folder, path, files));
  return formatOf(config).open(config, openFile, classes);
}

/** Absolute paths of a split's files. */
export function datasetFiles(config: DatasetConfig, folder: string, files: Files): readonly string[] {
  return formatOf(config)
    .paths(config)
    .map((path) => resolvePath(folder, path, files));
}

/** The configuration with each of its paths as `map` gives it. */
export function relocateDataset(config: DatasetConfig, map: MapPath): DatasetConfig {
  return formatOf(config).relocate(config, map);
}

/** How to look at one file without a run; `unsupported-format` where no format knows its content. */
export async function describeFile(path: string, files: Files): Promise<DatasetConfig> {
  const source = await files.open(path);
  const head = await source.read(0, Math.min(64, source.size));
  const format = Object.values(datasetFormats).find((one) => one.recognise(head, path));
  if (format) return format.describe(path);
  throw new WhenceError('unsupported-format', 'The file is no data set of a format that Whence reads.', {
    file: path,
    mend: 'Open an IDX, CSV or JSON Lines file.',
  });
}

/** `path` as it is where it is absolute, else below `folder`. */
export function resolvePath(folder: string, path: string, files: Files): string {
  return /^([\\/]|[a-z]:[\\/])/i.test(path) ? path : files.join(folder, path);
}
