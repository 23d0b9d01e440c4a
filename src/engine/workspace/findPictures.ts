import type { FileEntry, Files } from '../../formats/bytes';
import { pictureNames } from '../../formats/images';
import type { FoundSplit } from './discover';

/**
 * Folders that are called after a split and hold pictures, at any depth below.
 * @param splitOf the split that a name speaks of
 */
export function findPictureSplits(
  entries: readonly FileEntry[],
  root: string,
  splitOf: (name: string) => string | undefined,
  files: Files,
): FoundSplit[] {
  const found = new Map<string, FoundSplit>();
  const visited = new Set<string>();
  for (const { name, path } of entries) {
    if (!pictureNames.test(name)) continue;
    // The nearest folder above counts: of data/train/training/1.png the inner one.
    for (
      let folder = files.dirname(path);
      folder.length > root.length && !visited.has(folder);
      folder = files.dirname(folder)
    ) {
      visited.add(folder);
      const split = splitOf(files.basename(folder));
      if (split === undefined) continue;
      found.set(folder, { name: split, folder, config: { format: 'images', folder } });
      break;
    }
  }
  return [...found.values()];
}
