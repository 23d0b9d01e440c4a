import { WhenceError } from '../../protocol/errors';
import type { Preview } from '../../protocol/model';
import type { Files } from '../bytes';
import type { Dataset } from '../dataset';
import { decodePicture, type Pixels, pictureNames, pictureSize } from '../images';
import { resample } from '../images/resample';
import { preparedDataset } from '../prepared';
import { byClass, classFolder, type ImageFile, listImages, noImages } from './imageFiles';
import { metadataNames, namedImages, readImageLabels } from './imageLabels';
import { checkIndices } from './indices';
import { type EncodedLabels, encodeLabels } from './labels';

export interface ImagesConfig {
  /** A folder of pictures: one folder for each class, or a table of labels beside them. */
  readonly folder: string;
  /** A CSV or JSON Lines file of names and labels. Default: metadata.csv or metadata.jsonl in the folder. */
  readonly labels?: string;
  /** Its column of labels. */
  readonly label?: string;
}

/** Pictures whose size is looked for before the folder is refused: some may be damaged. */
const mostTried = 16;
/** Longest side of a preview. */
const previewSide = 256;

/**
 * Pictures in files of their own, which are only listed: each is decoded when it is asked for. Absolute paths. Labels are the
 * folders' names in the order of torchvision's ImageFolder, or those of a table; without either they are NaN.
 */
export async function openImagesDataset(
  { folder, labels: stated, label }: ImagesConfig,
  files: Files,
  classes?: readonly string[],
): Promise<Dataset> {
  const listed = await listImages(folder, files);
  if (listed.length === 0) throw noImages(folder);
  const table = await labelTable(folder, stated, files);
  const { images, ...encoded } =
    table === undefined
      ? folderLabels(listed, classes, folder)
      : await tableLabels(table, label, listed, classes, files);
  const decode = async (index: number) => decodePicture(await bytesOf(images[index]!.path, files), images[index]!.path);
  const first = await firstSize(images, files);
  const dataset: Dataset = {
    format: 'images',
    files: table === undefined ? [folder] : [folder, table],
    ...(table === undefined ? {} : { labelFile: table }),
    length: images.length,
    featureDims: [3, first.height, first.width],
    ...encoded,
    pictures: { stored: 'files', size: first, channels: 3, decode },
    batch: (indices) => preparedDataset(dataset, {}).batch(indices),
    async preview(index) {
      checkIndices([index], images.length, folder);
      return previewOf(await decode(index));
    },
    locate: (index) => ({ file: images[index]!.path, index }),
  };
  return dataset;
}

/** Texts that change with the pictures of a folder, with their number or with their labels. Their bytes are not read. */
export async function imagesState({ folder, labels }: ImagesConfig, files: Files): Promise<readonly string[]> {
  const lines = (await listImages(folder, files)).map(
    ({ name, size, modified }) => `${name} ${size} ${modified ?? ''}`,
  );
  const listing = files.hashBytes([new TextEncoder().encode(lines.join('\n'))]);
  const table = await labelTable(folder, labels, files);
  return table === undefined ? [listing] : [listing, await files.hashFile(table)];
}

function folderLabels(listed: readonly ImageFile[], classes: readonly string[] | undefined, folder: string) {
  const { images, folders } = byClass(listed);
  if (folders.length === 0) return { images: listed, labels: new Float64Array(listed.length).fill(Number.NaN) };
  const names = classes ?? folders;
  const unknown = folders.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new WhenceError(
      'label-out-of-range',
      `The folder "${unknown}" is none of the classes: ${names.join(', ')}.`,
      {
        file: folder,
        mend: "Move the folder, or list every class in `classes` of whence.json in the order of the model's outputs.",
      },
    );
  }
  const indices = new Map(names.map((name, index) => [name, index]));
  return { images, labels: Float64Array.from(images, (image) => indices.get(classFolder(image)!)!), classes: names };
}

async function tableLabels(
  table: string,
  label: string | undefined,
  listed: readonly ImageFile[],
  classes: readonly string[] | undefined,
  files: Files,
): Promise<EncodedLabels & { readonly images: readonly ImageFile[] }> {
  const rows = await readImageLabels(await files.open(table), label);
  const images = namedImages(rows, listed, table);
  const where = (row: number) => ({ file: table, place: `line ${rows[row]!.line}` });
  const cells = rows.map((row) => row.label);
  return { images, ...encodeLabels(cells, classes, where) };
}

/** The table that is told, else the one that lies beside the pictures as Hugging Face has it. */
async function labelTable(folder: string, stated: string | undefined, files: Files): Promise<string | undefined> {
  if (stated !== undefined || pictureNames.test(folder)) return stated;
  return (await files.list(folder)).find(({ name, kind }) => kind === 'file' && metadataNames.test(name))?.path;
}

async function bytesOf(path: string, files: Files): Promise<Uint8Array> {
  const source = await files.open(path);
  return source.read(0, source.size);
}

/** A damaged picture is named when it is used; it does not keep the others from being listed. */
async function firstSize(images: readonly ImageFile[], files: Files) {
  let failure: unknown;
  for (const { path } of images.slice(0, mostTried)) {
    try {
      return pictureSize(await bytesOf(path, files), path);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function previewOf(pixels: Pixels): Preview {
  const scale = Math.min(1, previewSide / Math.max(pixels.width, pixels.height));
  const width = Math.max(1, Math.round(pixels.width * scale));
  const height = Math.max(1, Math.round(pixels.height * scale));
  const { channels, data } = resample(pixels, width, height, 'bilinear');
  return { kind: 'image', width, height, channels, pixels: data };
}
