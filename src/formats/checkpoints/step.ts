const words = '(?:global[-_ ]?step|step|iteration|iter|epoch|checkpoint|ckpt)';
const named = new RegExp(`${words}[-_=. ]?(\\d+)`, 'gi');

/**
 * The training step that a checkpoint's path names: `step-1000.safetensors`, `ckpt_3_step790.safetensors`,
 * `epoch_02.safetensors`, `checkpoint-500/model.safetensors`. A word for steps wins over one for epochs, the file's own
 * name over its folder's. Undefined where there is no number.
 */
export function stepOf(path: string): number | undefined {
  const parts = path.split(/[\\/]/);
  const file = parts.at(-1)?.replace(/\.[^.]*$/, '') ?? '';
  const folder = parts.at(-2) ?? '';
  return namedStep(file) ?? lastNumber(file) ?? namedStep(folder);
}

function namedStep(name: string): number | undefined {
  const matches = [...name.matchAll(named)];
  const best = matches.find((match) => /step|iter/i.test(match[0])) ?? matches.at(-1);
  return best ? Number(best[1]) : undefined;
}

/** A number of its own: not the 5 of `model5x` and not a shard's `00001-of-00002`. */
function lastNumber(name: string): number | undefined {
  if (/\d+-of-\d+/.test(name)) return undefined;
  const digits = [...name.matchAll(/(?:^|[-_=. ])(\d+)(?=$|[-_=. ])/g)].at(-1)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Paths with their steps, by step as a number and then by path; those without a step come last. */
export function sortBySteps(paths: readonly string[]): { readonly file: string; readonly step: number | undefined }[] {
  return paths
    .map((file) => ({ file, step: stepOf(file) }))
    .sort((a, b) => (a.step ?? Infinity) - (b.step ?? Infinity) || (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}
