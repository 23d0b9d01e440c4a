import { type Split, splits } from './splits';

/** A tensor of the checkpoint that an optimizer may have moved. */
export interface Candidate {
  readonly name: string;
  readonly dims: readonly number[];
}

/** The shapes of a group's parameters, by position; undefined where the optimizer kept nothing of one. */
export type GroupShapes = readonly (readonly number[] | undefined)[];

/** Tables of ways are this large at most. */
const mostWays = 4_000_000;

/**
 * Torch's optimizers count their parameters; this finds what each number stands for. The parameters are in the model's
 * order, split over groups in one of the ways that people build them: in order, by weight decay, or by module. Tensors that are
 * no parameters (buffers) or were frozen may stand between them.
 * @param candidates in the order of the state dict, which is the model's
 * @returns names group by group; undefined where no way fits all shapes, or several ways differ
 */
export function assignParameters(
  groups: readonly GroupShapes[],
  candidates: readonly Candidate[],
): readonly (readonly string[])[] | undefined {
  const found = new Map<string, readonly (readonly string[])[]>();
  const note = (names: readonly (readonly string[])[]) => found.set(JSON.stringify(names), names);
  const inOrder = align(groups.flat(), candidates);
  if (inOrder) note(cut(inOrder, groups));
  for (const split of splits(groups.length, candidates)) {
    const names = alignSplit(groups, candidates, split);
    if (names) note(names);
  }
  return found.size === 1 ? [...found.values()][0] : undefined;
}

function alignSplit(groups: readonly GroupShapes[], candidates: readonly Candidate[], split: Split) {
  const names: (readonly string[])[] = [];
  for (const [index, shapes] of groups.entries()) {
    const own = align(
      shapes,
      candidates.filter((candidate) => split(candidate) === index),
    );
    if (!own) return undefined;
    names.push(own);
  }
  return names;
}

function cut(names: readonly string[], groups: readonly GroupShapes[]): readonly (readonly string[])[] {
  let start = 0;
  return groups.map(({ length }) => {
    start += length;
    return names.slice(start - length, start);
  });
}

/** The names of a subsequence of the candidates that has the shapes, where there is exactly one. */
function align(shapes: GroupShapes, candidates: readonly Candidate[]): readonly string[] | undefined {
  const fits = (position: number, candidate: number) => {
    const shape = shapes[position];
    return shape === undefined || shape.join() === candidates[candidate]!.dims.join();
  };
  if (shapes.length === candidates.length) {
    return shapes.every((_, index) => fits(index, index)) ? candidates.map(({ name }) => name) : undefined;
  }
  const width = candidates.length + 1;
  if (shapes.length > candidates.length || shapes.length * width > mostWays) return undefined;
  // ways[i][j]: in how many ways, two at most, the shapes from i on lie among the candidates from j on.
  const ways = new Uint8Array((shapes.length + 1) * width);
  ways.fill(1, shapes.length * width);
  for (let position = shapes.length - 1; position >= 0; position--) {
    for (let candidate = candidates.length - 1; candidate >= 0; candidate--) {
      const skipped = ways[position * width + candidate + 1]!;
      const taken = fits(position, candidate) ? ways[(position + 1) * width + candidate + 1]! : 0;
      ways[position * width + candidate] = Math.min(2, skipped + taken);
    }
  }
  if (ways[0] !== 1) return undefined;
  const names: string[] = [];
  for (let candidate = 0; names.length < shapes.length; candidate++) {
    if (ways[names.length * width + candidate + 1] === 0) names.push(candidates[candidate]!.name);
  }
  return names;
}
