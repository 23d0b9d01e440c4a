import { WhenceError } from '../../protocol/errors';
import type { FileEntry, Files } from '../bytes';
import { pictureNames } from '../images';

/** A picture of a folder; `name` is its path from there, with forward slashes. */
export interface ImageFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly modified?: number;
}

const deepest = 16;

/**
 * Pictures below a folder in the order of torchvision's ImageFolder: folder by folder, each in the order of names. The path of
 * one picture lists that.
 */
export async function listImages(folder: string, files: Files): Promise<ImageFile[]> {
  if (pictureNames.test(folder)) {
    const beside = await files.list(files.dirname(folder));
    const own = beside.find(({ path, kind }) => path === folder && kind === 'file');
    if (own) return [own];
  }
  const folders: { readonly name: string; readonly entries: readonly FileEntry[] }[] = [];
  const visit = async (path: string, name: string, depth: number): Promise<void> => {
    const entries = await files.list(path);
    folders.push({ name, entries });
    if (depth >= deepest) return;
    for (const entry of entries) {
      if (entry.kind === 'folder') await visit(entry.path, `${name}${entry.name}/`, depth + 1);
    }
  };
  await visit(folder, '', 0);
  return folders
    .sort((a, b) => order(a.name.slice(0, -1), b.name.slice(0, -1)))
    .flatMap(({ name, entries }) =>
      entries
        .filter((entry) => entry.kind === 'file' && pictureNames.test(entry.name))
        .map((entry) => ({ ...entry, name: name + entry.name })),
    );
}

/** What every picture's place in the tree says of its class: the first folder on the way. */
export function classFolder({ name }: ImageFile): string | undefined {
  const slash = name.indexOf('/');
  return slash < 0 ? undefined : name.slice(0, slash);
}

/** Pictures class by class, the classes sorted by name, as ImageFolder lists them. */
export function byClass(images: readonly ImageFile[]): {
  readonly images: readonly ImageFile[];
  readonly folders: readonly string[];
} {
  const groups = new Map<string, ImageFile[]>();
  for (const image of images) {
    const name = classFolder(image);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group) group.push(image);
    else groups.set(name, [image]);
  }
  const folders = [...groups.keys()].sort(order);
  return { images: folders.flatMap((name) => groups.get(name)!), folders };
}

export function noImages(folder: string): WhenceError {
  return new WhenceError('empty-data', 'The folder holds no pictures.', {
    file: folder,
    mend: 'Name the folder of one split: pictures in a folder for each class, or beside a table of their labels.',
  });
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
