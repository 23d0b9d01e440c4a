import type { FileEntry, Files } from '../../formats/bytes';
import { pictureNames } from '../../formats/images';
import type { CancelSignal } from '../../protocol/cancel';
import { throwIfCancelled } from '../../protocol/cancel';
import { toErrorData } from '../../protocol/errors';
import type { Problem } from '../../protocol/model';

/** Folders that hold no runs and may be huge; all that begin with a dot are skipped too. */
const skipped = new Set([
  'node_modules',
  'venv',
  'env',
  '__pycache__',
  'site-packages',
  'dist',
  'build',
  'wandb',
  'mlruns',
]);
const deepest = 8;
const mostEntries = 20_000;
const mostPictures = 4;

/** Files of a folder and of those below it, nearest first, in the order of their names; bounded in depth and number. */
export async function walk(
  folder: string,
  files: Files,
  signal?: CancelSignal,
): Promise<{ readonly entries: readonly FileEntry[]; readonly problems: readonly Problem[] }> {
  const entries: FileEntry[] = [];
  const problems: Problem[] = [];
  let seen = 0;
  let level = [folder];
  for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
    const next: string[] = [];
    for (const path of level) {
      throwIfCancelled(signal);
      const listed = fewPictures(await listFolder(path, path === folder, files, problems));
      seen += listed.length;
      for (const entry of listed) {
        if (entry.kind === 'file') entries.push(entry);
        else if (!entry.name.startsWith('.') && !skipped.has(entry.name)) next.push(entry.path);
      }
      if (seen > mostEntries) {
        const message = `The folder holds more than ${mostEntries} files; the search stopped there.`;
        problems.push({ severity: 'info', message, file: path, mend: "Open the run's own folder." });
        return { entries, problems };
      }
    }
    level = next;
  }
  return { entries, problems };
}

/** Of a folder's pictures, which may be a hundred thousand, the first few: they tell as well that it holds some. */
function fewPictures(entries: readonly FileEntry[]): readonly FileEntry[] {
  let pictures = 0;
  return entries.filter(
    ({ kind, name }) => kind === 'folder' || !pictureNames.test(name) || ++pictures <= mostPictures,
  );
}

/** A folder below that cannot be read is a problem, the first one an error. */
async function listFolder(path: string, isFirst: boolean, files: Files, problems: Problem[]) {
  try {
    return await files.list(path);
  } catch (error) {
    if (isFirst) throw error;
    const { message } = toErrorData(error);
    problems.push({ severity: 'warning', message, file: path, mend: 'Allow reading the folder, or leave it out.' });
    return [];
  }
}
