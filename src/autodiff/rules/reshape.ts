import { intOf, intsOf, stringOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { inversePermutation, positiveAxis, range } from '../../onnx/dims';
import { asNeeded, constantInput, type GradientRule, type GradientRules, unsupportedForm } from '../rule';
import { gatherGradient } from './indexing';

/** What only renames positions is undone by taking the input's shape again. */
const reshaped: GradientRule = (b, node, [g]) => [
  b.reshape(g!, b.dims(node.inputs[0]!)),
  ...node.inputs.slice(1).map(() => null),
];

const transpose: GradientRule = (b, node, [g]) => {
  const rank = b.dims(node.inputs[0]!).length;
  const perm = intsOf(node, 'perm') ?? [...range(rank)].reverse();
  return [b.transpose(g!, inversePermutation(perm))];
};

const concat: GradientRule = (b, node, [g], needs) => {
  const axis = positiveAxis(intOf(node, 'axis', 0), b.dims(g!).length);
  let start = 0;
  const spans = node.inputs.map((input) => {
    const from = start;
    start += b.dims(input)[axis]!;
    return [from, start] as const;
  });
  return asNeeded(
    needs,
    ...spans.map(
      ([from, to]) =>
        () =>
          b.slice(g!, [from], [to], [axis]),
    ),
  );
};

const split: GradientRule = (b, node, gradients) => [
  b.concat(gradients, intOf(node, 'axis', 0)),
  ...node.inputs.slice(1).map(() => null),
];

const slice: GradientRule = (b, node, [g]) => {
  const dims = b.dims(node.inputs[0]!);
  const starts = constantInput(b, node, 1)!;
  const axes = constantInput(b, node, 3) ?? range(starts.length);
  const steps = constantInput(b, node, 4) ?? starts.map(() => 1);
  let gradient = g!;
  axes.forEach((axis, index) => {
    const at = positiveAxis(axis, dims.length);
    gradient = unslice(b, gradient, at, starts[index]!, steps[index]!, dims[at]!);
  });
  return [gradient, ...node.inputs.slice(1).map(() => null)];
};

/** Puts what was taken from `start` in steps along `axis` back to its places among zeros. */
export function unslice(b: GraphBuilder, g: string, axis: number, start: number, step: number, length: number): string {
  const taken = b.dims(g)[axis]!;
  const last = step > 0 ? length : length - 1;
  const first = Math.min(Math.max(start < 0 ? start + length : start, 0), last);
  if (step < 0) {
    const reversed = b.gather(g, b.constant([...range(taken)].reverse(), [taken], 'int64'), axis);
    return unslice(b, reversed, axis, first + (taken - 1) * step, -step, length);
  }
  const spread = interleave(b, g, axis, step);
  const here = b.dims(spread)[axis]!;
  const kept = b.slice(spread, [0], [Math.min(here, length - first)], [axis]);
  return padAxis(b, kept, axis, first, length - first - b.dims(kept)[axis]!);
}

/** `step - 1` zeros after each element along `axis`. */
function interleave(b: GraphBuilder, value: string, axis: number, step: number): string {
  if (step === 1) return value;
  const dims = b.dims(value);
  const spread = padAxis(b, b.unsqueeze(value, [axis + 1]), axis + 1, 0, step - 1);
  return b.reshape(
    spread,
    dims.map((dim, at) => (at === axis ? dim * step : dim)),
  );
}

function padAxis(b: GraphBuilder, value: string, axis: number, begin: number, end: number): string {
  const at = (length: number): readonly number[] => b.dims(value).map((_, index) => (index === axis ? length : 0));
  return b.pad(value, at(begin), at(end));
}

/** Of which element each place along a padded axis is a copy; null for a mode that ONNX does not define. */
function paddingSources(mode: string, length: number, begin: number, end: number): readonly number[] | null {
  const places = range(begin + length + end).map((place) => place - begin);
  const period = 2 * (length - 1);
  switch (mode) {
    case 'edge':
      return places.map((place) => Math.min(Math.max(place, 0), length - 1));
    case 'wrap':
      return places.map((place) => ((place % length) + length) % length);
    case 'reflect':
      return places.map((place) => {
        const within = period === 0 ? 0 : ((place % period) + period) % period;
        return within < length ? within : period - within;
      });
    default:
      return null;
  }
}

const pad: GradientRule = (b, node, [g]) => {
  const mode = stringOf(node, 'mode', 'constant');
  const dims = b.dims(node.inputs[0]!);
  const pads = constantInput(b, node, 1)!;
  const axes = constantInput(b, node, 3) ?? range(dims.length);
  let gradient = g!;
  axes.forEach((axis, index) => {
    const at = positiveAxis(axis, dims.length);
    const [begin, end] = [pads[index]!, pads[index + axes.length]!];
    const length = b.dims(gradient)[at]!;
    if (mode !== 'constant') {
      const sources = paddingSources(mode, dims[at]!, begin, end);
      if (!sources) throw unsupportedForm(b, node, `it pads by ${mode}`, 'Pad with zeros, or before the model.');
      const now = b.dims(gradient).map((dim, other) => (other === at ? dims[at]! : dim));
      gradient = gatherGradient(b, gradient, b.constant(sources, [sources.length], 'int64'), now, at);
      return;
    }
    const inner = b.slice(gradient, [Math.max(begin, 0)], [length - Math.max(end, 0)], [at]);
    gradient = padAxis(b, inner, at, Math.max(-begin, 0), Math.max(-end, 0));
  });
  return [gradient, ...node.inputs.slice(1).map(() => null)];
};

/** Each repetition's gradient is added to that of the one element. */
const tile: GradientRule = (b, node, [g]) => {
  const dims = b.dims(node.inputs[0]!);
  const spread = dims.flatMap((dim, axis) => [dim === 0 ? 1 : b.dims(g!)[axis]! / dim, dim]);
  const summed = b.reduceSum(
    b.reshape(g!, spread),
    range(dims.length).map((axis) => 2 * axis),
  );
  return [b.reshape(summed, dims), null];
};

/** A triangle's gradient is the same triangle of the gradient. */
const trilu: GradientRule = (b, node, [g]) => [
  b.emit('Trilu', [g!, ...node.inputs.slice(1)], b.typeOf(g!), node.attributes),
  ...node.inputs.slice(1).map(() => null),
];

export const reshape: GradientRules = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Expand: (b, node, [g]) => [b.sumTo(g!, b.dims(node.inputs[0]!)), null],
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: tile,
  Trilu: trilu,
};
