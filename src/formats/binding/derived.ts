import { product } from '../../onnx/dims';
import { isFloat } from '../../onnx/dtype';
import { WhenceError } from '../../protocol/errors';
import { formatDims, type TensorRef, toFloat32 } from '../tensor';
import type { Expression } from './expression';
import { reexport } from './failure';
import { ownValues, relationOf, subsets } from './relation';
import type { Search } from './search';
import { isConstant } from './values';

/** A constant of the graph that no tensor fills. */
interface Loose {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

/** Larger tensors (a vocabulary's embedding) are rearranged by exporters, not computed with. */
const mostSearched = 2 ** 24;

/**
 * An exporter may compute a part of what the model does with a weight beforehand, and leave the weight itself in the graph for
 * the rest: the part then keeps the values of the exported checkpoint, whatever is fed for the weight. Looks for what is
 * common: norms and sums, functions, multiples and rearrangements of a tensor; undefined where no constant is any of these.
 */
export async function partlyComputed(search: Search): Promise<WhenceError | undefined> {
  const loose = await looseConstants(search);
  if (loose.length === 0) return undefined;
  const cut = cutTensors(search);
  for (const ref of search.tensors) {
    if (product(ref.dims) > mostSearched) continue;
    const content = await search.values.ofTensor(ref);
    for (const { name, dims, values } of loose) {
      const rest = cut.has(ref.name) && isSized(values, ref.dims) ? 'perhaps of what else it holds' : undefined;
      const relation = relationOf(values, content, ref.dims) ?? rest;
      if (!relation || !(await mayMove(search, ref))) continue;
      return new WhenceError(
        'binding-failed',
        `The exporter computed the model's constant ${name} ${formatDims(dims)} from the checkpoint's ${ref.name} (${relation}): it would stay the same at every checkpoint.`,
        { file: search.model.file, place: `initializer ${name}`, mend: reexport },
      );
    }
  }
  return undefined;
}

/** Floating constants of several numbers that nothing has explained, among the initializers and in Constant nodes. */
async function looseConstants({ model, values, bound, fixed }: Search): Promise<readonly Loose[]> {
  const found: Loose[] = [];
  const add = (name: string, dims: readonly number[], content: Float32Array): void => {
    if (content.length > 1 && !isConstant(content)) found.push({ name, dims, values: content });
  };
  for (const initializer of model.graph.initializers.values()) {
    const { name, dtype, dims } = initializer;
    if (!isFloat(dtype) || bound.has(name) || fixed.has(name)) continue;
    add(name, dims, await values.ofInitializer(initializer));
  }
  for (const { op, outputs, attributes } of model.graph.nodes) {
    const { value } = attributes;
    if (op !== 'Constant' || value?.kind !== 'tensor' || !isFloat(value.value.dtype)) continue;
    add(outputs[0]!, value.value.dims, toFloat32(value.value));
  }
  return found;
}

/** Tensors that the graph holds single rows of, and nowhere whole: what it does with the others is computed. */
function cutTensors({ bound }: Search): ReadonlySet<string> {
  const whole = new Set<string>();
  const cut = new Set<string>();
  const visit = (value: Expression, isCut: boolean): void => {
    if (value.kind === 'tensor') (isCut ? cut : whole).add(value.name);
    else if (value.kind === 'concat') for (const part of value.of) visit(part, isCut);
    else if (value.of) visit(value.of, isCut || value.kind === 'slice' || value.kind === 'rows');
  };
  for (const value of bound.values()) visit(value, false);
  return new Set([...cut].filter((name) => !whole.has(name)));
}

/** Whether a constant has as many elements as some axes of a tensor, and is no mask. */
function isSized(values: Float32Array, dims: readonly number[]): boolean {
  const sizes = subsets(dims.length).map((axes) => product(dims.filter((_, axis) => !axes.includes(axis))));
  return sizes.includes(values.length) && ownValues(values).size >= 3;
}

/** Whether a tensor differs between checkpoints, or there are none to tell. */
async function mayMove({ course }: Search, ref: TensorRef): Promise<boolean> {
  return course.length === 1 || (await course.moves(ref));
}
