import type { Files } from '../../formats/bytes';
import type { CheckpointGroup } from './checkpointGroups';

const checkpointFolder = /^(checkpoints?|ckpts?|weights|snapshots?|models?|saved)$/i;

/** The nearest folder above the checkpoints that a model lies in or below; without a model, the checkpoints' own. */
export function homeOf(group: CheckpointGroup, root: string, models: readonly string[], files: Files): string {
  for (let folder = group.folder; ; folder = files.dirname(folder)) {
    if (models.some((model) => isInside(model, folder, files))) return folder;
    if (folder === root || files.dirname(folder) === folder) return ownFolder(group, files, root);
  }
}

/** Beside a folder called like `checkpoints`, unless that is the workspace's own; else the folder of the checkpoints. */
export function ownFolder(group: CheckpointGroup, files: Files, root?: string): string {
  const isRoot = group.folder === root;
  return !isRoot && checkpointFolder.test(files.basename(group.folder)) ? files.dirname(group.folder) : group.folder;
}

/** Things of the run's own folder, nearest first; where it has none, those of the folders above it, up to the workspace. */
export function nearest<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  folder: string,
  root: string,
  files: Files,
): T[] {
  const distance = (item: T) => files.relative(folder, pathOf(item)).split('/').length;
  for (let at = folder; ; at = files.dirname(at)) {
    const inside = items.filter((item) => isInside(pathOf(item), at, files));
    if (inside.length > 0) return inside.sort((a, b) => distance(a) - distance(b));
    if (at === root || files.dirname(at) === at) return [];
  }
}

export function isInside(path: string, folder: string, files: Files): boolean {
  const relative = files.relative(folder, path);
  return relative !== '..' && !relative.startsWith('../') && !/^([a-z]:|\/)/i.test(relative);
}

/** Things of a run, nearest first. `own`: none that lie in another run's folder. */
export type Near = <T>(items: readonly T[], pathOf: (item: T) => string, own?: boolean) => T[];

/** How a run in `folder` finds its things, where the runs of a workspace have the folders `taken`. */
export function placesNear(folder: string, taken: readonly string[], root: string, files: Files): Near {
  const others = taken.filter((other) => other !== folder && !isInside(folder, other, files));
  const isOthers = (path: string) => others.some((other) => isInside(path, other, files));
  return (items, pathOf, own = false) => {
    const free = items.filter((item) => !isOthers(pathOf(item)));
    const found = nearest(free, pathOf, folder, root, files);
    return found.length > 0 || own ? found : nearest(items, pathOf, folder, root, files);
  };
}
