/** Options of command lines by what they mean for training anew; only scripts that have the first and the last can be. */
const options = [
  { names: ['subset', 'train-indices', 'train_indices', 'indices'], placeholder: '{subset}', needed: true },
  { names: ['seed'], placeholder: '{seed}', needed: false },
  { names: ['out', 'out-dir', 'out_dir', 'output', 'output-dir', 'output_dir'], placeholder: '{out}', needed: true },
] as const;

/**
 * The arguments by which a script trains on a part of the data: those that its argument parser names. Undefined where it takes
 * no subset or says nowhere to write to. What the file of a subset holds is a guess to confirm.
 */
export function retrainArguments(code: string): readonly string[] | undefined {
  const found = options.map(({ names, placeholder, needed }) => {
    const name = names.find((each) => new RegExp(`add_argument\\(\\s*["']--${each}["']`).test(code));
    return { arguments: name ? [`--${name}`, placeholder] : [], missing: needed && !name };
  });
  return found.some(({ missing }) => missing) ? undefined : found.flatMap((each) => each.arguments);
}
