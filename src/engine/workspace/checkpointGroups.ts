import type { Files } from '../../formats/bytes';
import { sortBySteps, stepOf } from '../../formats/checkpoints/step';

/** Checkpoints that look like one run's: the same name but for the step. */
export interface CheckpointGroup {
  /** The folder that holds them all. */
  readonly folder: string;
  /** Their path below the folder with one `*`; absent where no pattern is theirs alone. */
  readonly pattern?: string;
  /** Ascending by step. */
  readonly checkpoints: readonly { readonly file: string; readonly step: number }[];
}

/**
 * Groups of files whose paths name a step: by the pattern that is left when the step is taken out. Files of one folder that
 * share no pattern (`ckpt_1_step100`, `ckpt_2_step200`) are one group together.
 */
export function groupCheckpoints(paths: readonly string[], files: Files): CheckpointGroup[] {
  const byPattern = new Map<string, { folder: string; pattern: string; paths: string[] }>();
  for (const path of paths) {
    const place = patternOf(path, files);
    if (!place) continue;
    const key = `${place.folder}\n${place.pattern}`;
    const group = byPattern.get(key);
    if (group) group.paths.push(path);
    else byPattern.set(key, { ...place, paths: [path] });
  }
  const groups: CheckpointGroup[] = [];
  const single = new Map<string, string[]>();
  for (const { folder, pattern, paths: own } of byPattern.values()) {
    if (own.length > 1) {
      const exact = paths.filter((path) => matches(files.relative(folder, path), pattern)).length === own.length;
      groups.push({ folder, ...(exact ? { pattern } : {}), checkpoints: withSteps(own) });
    } else single.set(folder, [...(single.get(folder) ?? []), ...own]);
  }
  for (const [folder, own] of single) {
    const steps = withSteps(own);
    const distinct = new Set(steps.map(({ step }) => step)).size === steps.length;
    const inGroup = groups.some((group) => group.folder === folder);
    if (distinct && !inGroup) groups.push({ folder, checkpoints: steps });
  }
  return groups;
}

function withSteps(paths: readonly string[]) {
  return sortBySteps(paths).flatMap(({ file, step }) => (step === undefined ? [] : [{ file, step }]));
}

/** The folder and the pattern of a path; the step stands in the file's name, or else in its folder's. */
function patternOf(path: string, files: Files): { folder: string; pattern: string } | undefined {
  const name = files.basename(path);
  const parent = files.dirname(path);
  const inName = stepOf(name);
  if (inName !== undefined) return { folder: parent, pattern: starred(name, inName) };
  const inParent = stepOf(path);
  if (inParent === undefined) return undefined;
  return { folder: files.dirname(parent), pattern: `${starred(files.basename(parent), inParent)}/${name}` };
}

/** Whether a pattern takes in a path; what it would take in beside its own files (`step-final`) makes it useless. */
function matches(path: string, pattern: string): boolean {
  const [head, tail] = pattern.split('*') as [string, string];
  const middle = path.slice(head.length, path.length - tail.length);
  return (
    path.length >= head.length + tail.length && path.startsWith(head) && path.endsWith(tail) && !middle.includes('/')
  );
}

/** `name` with the last run of digits that means `step` replaced by `*`. */
function starred(name: string, step: number): string {
  const digits = [...name.matchAll(/\d+/g)].filter((match) => Number(match[0]) === step).at(-1);
  return digits ? `${name.slice(0, digits.index)}*${name.slice(digits.index + digits[0].length)}` : name;
}
