import { WhenceError } from '../../protocol/errors';
import type { ByteSource, Files } from '../bytes';
import type { Dataset } from '../dataset';
import type { DatasetConfig, DatasetFormatName } from '../datasetConfig';
import { isPicture } from '../images';
import { isZip } from '../zip';
import { openArrowDataset } from './arrow';
import { isArrow } from './arrowMessages';
import { isCifar, openCifarDataset } from './cifar';
import { openCsvDataset } from './csv';
import { openIdxDataset } from './idx';
import { isIdx } from './idxFile';
import { imagesState, openImagesDataset } from './images';
import { openJsonlDataset } from './jsonl';
import { isNpy, openNpyDataset } from './npy';
import { openNpzDataset } from './npz';
import { openParquetDataset } from './parquet';
import { isParquet } from './parquetFile';
import { openTextDataset } from './textFile';

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
  open(
    config: DatasetConfig<F>,
    openFile: OpenFile,
    classes: readonly string[] | undefined,
    at: Place,
  ): Promise<Dataset>;
  /** Texts that change with the examples, where those are more than the files of `paths`. */
  state?(config: DatasetConfig<F>, at: Place): Promise<readonly string[]>;
}

/** Where a configuration's paths begin. */
export interface Place {
  readonly files: Files;
  resolve(path: string): string;
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
  text: {
    name: 'text',
    recognise: (head, name) => /\.(txt|text)(\.gz)?$/i.test(name) && !head.includes(0),
    describe: (path) => ({ format: 'text', file: path }),
    paths: ({ file }) => [file],
    relocate: (config, map) => ({ ...config, file: map(config.file) }),
    open: async (config, openFile) => openTextDataset(await openFile(config.file), config),
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
  npz: {
    name: 'npz',
    recognise: (head, name) => isZip(head) && /\.npz$/i.test(name),
    describe: (path) => ({ format: 'npz', file: path }),
    paths: ({ file }) => [file],
    relocate: (config, map) => ({ ...config, file: map(config.file) }),
    open: async (config, openFile, classes) => openNpzDataset(await openFile(config.file), config, classes),
  },
  parquet: {
    name: 'parquet',
    recognise: isParquet,
    describe: (path) => ({ format: 'parquet', file: path }),
    paths: ({ file }) => partPaths(file),
    relocate: (config, map) => ({ ...config, file: mapParts(config.file, map) }),
    open: async (config, openFile, classes) =>
      openParquetDataset(await Promise.all(partPaths(config.file).map(openFile)), config, classes),
  },
  arrow: {
    name: 'arrow',
    recognise: isArrow,
    describe: (path) => ({ format: 'arrow', file: path }),
    paths: ({ file }) => partPaths(file),
    relocate: (config, map) => ({ ...config, file: mapParts(config.file, map) }),
    open: async (config, openFile, classes) =>
      openArrowDataset(await Promise.all(partPaths(config.file).map(openFile)), config, classes),
  },
  cifar: {
    name: 'cifar',
    recognise: isCifar,
    describe: (path) => ({ format: 'cifar', file: path }),
    paths: ({ file }) => partPaths(file),
    relocate: (config, map) => ({ ...config, file: mapParts(config.file, map) }),
    async open({ file, label }, openFile, _, { files, resolve }) {
      const parts = partPaths(file);
      const folder = files.dirname(resolve(parts[0]!));
      const beside = async (name: string) => {
        const path = files.join(folder, name);
        return (await files.exists(path)) ? files.open(path) : undefined;
      };
      return openCifarDataset(await Promise.all(parts.map(openFile)), label, beside);
    },
  },
  images: {
    name: 'images',
    recognise: isPicture,
    describe: (path) => ({ format: 'images', folder: path }),
    paths: ({ folder, labels }) => (labels === undefined ? [folder] : [folder, labels]),
    relocate: (config, map) => ({
      ...config,
      folder: map(config.folder),
      ...(config.labels === undefined ? {} : { labels: map(config.labels) }),
    }),
    open: (config, _, classes, at) =>
      openImagesDataset(datasetFormats.images.relocate(config, at.resolve), at.files, classes),
    state: (config, at) => imagesState(datasetFormats.images.relocate(config, at.resolve), at.files),
  },
};

/** Texts that change whenever a split's examples do: hashes of its files, or a listing of its pictures. */
export async function datasetState(config: DatasetConfig, folder: string, files: Files): Promise<readonly string[]> {
  const format = formatOf(config);
  if (format.state) return format.state(config, placeOf(folder, files));
  return Promise.all(datasetFiles(config, folder, files).map((path) => files.hashFile(path)));
}

function placeOf(folder: string, files: Files): Place {
  return { files, resolve: (path) => resolvePath(folder, path, files) };
}

function partPaths(file: string | readonly string[]): readonly string[] {
  return typeof file === 'string' ? [file] : file;
}

function mapParts(file: string | readonly string[], map: MapPath): string | readonly string[] {
  return typeof file === 'string' ? map(file) : file.map(map);
}

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
  const place = placeOf(folder, files);
  return formatOf(config).open(config, (path) => files.open(place.resolve(path)), classes, place);
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
    mend: `Open a file of one of the formats ${Object.keys(datasetFormats).join(', ')}.`,
  });
}

/** `path` as it is where it is absolute, else below `folder`. */
export function resolvePath(folder: string, path: string, files: Files): string {
  return /^([\\/]|[a-z]:[\\/])/i.test(path) ? path : files.join(folder, path);
}
