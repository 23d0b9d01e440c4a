import type { Files } from '../../formats/bytes';
import { stepOf } from '../../formats/checkpoints/step';
import type { TrainingState } from '../../formats/trainingState';
import type { SavedCheckpoint } from '../run/checkpointFiles';
import { savedAt } from '../run/checkpointSteps';

/** Checkpoints that look like one run's. */
export interface CheckpointGroup {
  /** The folder that holds them all. */
  readonly folder: string;
  /** Their path below the folder with one `*`; absent where every such pattern takes in other files too. */
  readonly pattern?: string;
  /** Ascending by step. */
  readonly checkpoints: readonly SavedCheckpoint[];
}

/** A checkpoint with its place: `name` is its path below `folder`. */
interface Placed extends SavedCheckpoint {
  readonly folder: string;
  readonly name: string;
}

/**
 * Groups checkpoints into runs: those of one folder whose names differ in numbers only, but for numbers that tell runs apart
 * (`seed0`, `fold-2`) and those that leave two files of one step. Files that are alone in their folder's patterns are one
 * group together, or where the folder has one run and they know their step themselves (`last.ckpt`), belong to it.
 */
export function groupCheckpoints(
  found: readonly { readonly file: string; readonly state: TrainingState }[],
  files: Files,
): CheckpointGroup[] {
  const placed = found.flatMap(({ file, state }) => {
    const saved = savedAt(file, state);
    return saved ? [{ file, state, ...saved, ...placeOf(file, files) }] : [];
  });
  const alike = [...groupBy(placed, ({ folder, name }) => `${folder}\n${skeleton(name)}`).values()];
  const runs = alike.flatMap((own) =>
    isDistinct(own) ? [own] : [...groupBy(own, ({ file, name }) => starred(name, stepOf(file))).values()],
  );
  const groups = runs.filter((own) => own.length > 1 && isDistinct(own));
  const single = groupBy(runs.filter((own) => own.length === 1).flat(), ({ folder }) => folder);
  for (const [folder, own] of single) {
    const [run, ...others] = groups.filter((group) => group[0]!.folder === folder);
    // One model of a step is a model.
    const isModel = own.length === 1 && /\.onnx$/i.test(own[0]!.file);
    if (!run && isDistinct(own) && !isModel) groups.push(own);
    if (!run || others.length > 0) continue;
    for (const one of own) {
      if (one.state.step !== undefined && run.every(({ step }) => step !== one.step)) run.push(one);
    }
  }
  const paths = found.map(({ file }) => file);
  return groups.map((own) => describe(own, paths, files)).sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

function describe(own: readonly Placed[], paths: readonly string[], files: Files): CheckpointGroup {
  const { folder } = own[0]!;
  const pattern = commonPattern(own.map(({ name }) => name));
  const taken = paths.filter((path) => pattern !== undefined && matches(files.relative(folder, path), pattern));
  const checkpoints = [...own].sort((a, b) => a.step - b.step);
  return {
    folder,
    ...(pattern !== undefined && taken.length === own.length ? { pattern } : {}),
    checkpoints: checkpoints.map(({ file, step, counts, state }) => ({ file, step, counts, state })),
  };
}

const stepFolder = /(?:step|iter|iteration|epoch|checkpoint|ckpt)[-_=. ]?\d+$/i;

/** A step stands in the file's name, or else in its folder's; files that know theirs otherwise are told apart by name. */
function placeOf(path: string, files: Files): { readonly folder: string; readonly name: string } {
  const name = files.basename(path);
  const folder = files.dirname(path);
  const parent = files.basename(folder);
  if (stepOf(name) !== undefined || !stepFolder.test(parent)) return { folder, name };
  return { folder: files.dirname(folder), name: `${parent}/${name}` };
}

/** A name with `#` for each number but those that tell runs apart. */
function skeleton(name: string): string {
  return name.replace(/(seed|run|fold|version|trial|exp|rank)?([-_=. ]?)\d+/gi, (whole, word, gap) =>
    word === undefined ? `${gap}#` : whole,
  );
}

/** `name` with the last run of digits that means `step` replaced by `*`. */
function starred(name: string, step: number | undefined): string {
  const digits = [...name.matchAll(/\d+/g)].filter((match) => Number(match[0]) === step).at(-1);
  return digits ? `${name.slice(0, digits.index)}*${name.slice(digits.index + digits[0].length)}` : name;
}

/** What all names begin and end with, around one `*`; numbers stay whole. */
function commonPattern(names: readonly string[]): string | undefined {
  const [first, ...others] = names as [string, ...string[]];
  if (others.length === 0) return undefined;
  const shortest = Math.min(...names.map((name) => name.length));
  let head = 0;
  while (head < shortest && others.every((name) => name[head] === first[head])) head++;
  while (head > 0 && /\d/.test(first[head - 1]!)) head--;
  let tail = 0;
  while (tail < shortest - head && others.every((name) => name.at(-1 - tail) === first.at(-1 - tail))) tail++;
  while (tail > 0 && /\d/.test(first.at(-tail)!)) tail--;
  return `${first.slice(0, head)}*${tail === 0 ? '' : first.slice(-tail)}`;
}

/** Whether a pattern takes in a path. */
function matches(path: string, pattern: string): boolean {
  const [head, tail] = pattern.split('*') as [string, string];
  const middle = path.slice(head.length, path.length - tail.length);
  return (
    path.length >= head.length + tail.length && path.startsWith(head) && path.endsWith(tail) && !middle.includes('/')
  );
}

function isDistinct(own: readonly Placed[]): boolean {
  return new Set(own.map(({ step }) => step)).size === own.length;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
