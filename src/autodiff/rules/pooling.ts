import { intOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { product, range } from '../../onnx/dims';
import type { Node } from '../../onnx/graph';
import { transposedPadding, type WindowGeometry, windowGeometry } from '../../onnx/window';
import { type GradientRule, type GradientRules, unsupportedForm } from '../rule';
import { unslice } from './reshape';

/** Each window's gradient goes to its largest element, whose place onnxruntime counts over the whole tensor. */
const maxPool: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  if (intOf(node, 'storage_order', 0) === 1) {
    throw unsupportedForm(b, node, 'it counts places column by column', 'Export it with storage_order 0.');
  }
  const tiles = tiling(windowGeometry(node, b.dims(x).slice(2)), b.dims(x), b.dims(g!));
  if (tiles) return [tiledGradient(b, x, node.outputs[0]!, g!, tiles)];
  const size = product(b.dims(x));
  const places = b.siblingOutput(node.outputs[0]!, 1, { dtype: 'int64', dims: b.dims(g!) });
  const count = product(b.dims(g!));
  const zeros = b.zeros({ dtype: b.dtype(x), dims: [size] });
  const scattered = b.scatterElements(zeros, b.reshape(places, [count]), b.reshape(g!, [count]), 0, 'add');
  return [b.reshape(scattered, b.dims(x))];
};

/** The kernel of windows that lie side by side and cover the whole input, else undefined. */
function tiling(
  { kernel, strides, dilations }: WindowGeometry,
  dims: readonly number[],
  output: readonly number[],
): readonly number[] | undefined {
  const whole = kernel.every(
    (size, axis) =>
      strides[axis] === size && (size === 1 || dilations[axis] === 1) && output[axis + 2]! * size === dims[axis + 2],
  );
  return whole ? kernel : undefined;
}

/**
 * Where windows do not overlap, an element of each at a time is compared with the maxima, which makes a mask for all gradients
 * that will come. Asking a MaxPool for the places of its maxima takes onnxruntime twenty times as long as the pooling itself.
 */
function tiledGradient(b: GraphBuilder, x: string, maxima: string, g: string, kernel: readonly number[]): string {
  const [batch, channels, ...places] = b.dims(g) as [number, number, ...number[]];
  const tiled = (sizes: readonly number[]) => [
    batch * channels,
    ...places.flatMap((count, axis) => [count, sizes[axis]!]),
  ];
  const single = tiled(kernel.map(() => 1));
  const axes = kernel.map((_, axis) => 2 * axis + 2);
  const elements = axes.reduce<readonly string[]>(
    (parts, axis, index) => parts.flatMap((part) => b.split(part, new Array(kernel[index]!).fill(1), axis)),
    [b.reshape(x, tiled(kernel))],
  );
  // Flat, since trailing axes of one element make onnxruntime go through what it broadcasts one by one.
  const flat = (value: string) => b.reshape(value, [product(b.dims(g))]);
  const largest = flat(maxima);
  let untaken: string | undefined;
  const taken = elements.map((element, index) => {
    const equal = b.equal(flat(element), largest);
    const first = untaken === undefined ? equal : b.and(equal, untaken);
    if (index + 1 < elements.length) {
      const differs = b.emit('Not', [equal], b.typeOf(equal));
      untaken = untaken === undefined ? differs : b.and(untaken, differs);
    }
    return b.reshape(b.cast(first, b.dtype(g)), single);
  });
  const [mask] = axes.reduceRight<readonly string[]>(
    (parts, axis, index) =>
      range(parts.length / kernel[index]!).map((at) =>
        b.concat(parts.slice(at * kernel[index]!, (at + 1) * kernel[index]!), axis),
      ),
    taken,
  );
  const spread = axes.reduceRight(
    (part, axis, index) => b.concat(new Array<string>(kernel[index]!).fill(part), axis),
    b.reshape(g, single),
  );
  return b.reshape(b.mul(spread, mask!), b.dims(x));
}

/** As `maxPool` by plain ops: the windows laid side by side, and each one's gradient where it has its first maximum. */
const portableMaxPool: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  const dims = b.dims(x);
  const places = b.dims(g!).slice(2);
  const { kernel, strides, dilations, begins } = windowGeometry(node, dims.slice(2));
  // Windows that round up may reach beyond the declared padding.
  const reach = places.map((count, axis) => (count - 1) * strides[axis]! + dilations[axis]! * (kernel[axis]! - 1) + 1);
  const ends = reach.map((length, axis) => Math.max(0, length - begins[axis]! - dims[axis + 2]!));
  const padded = b.pad(x, [0, 0, ...begins], [0, 0, ...ends], b.dtype(x) === 'float16' ? -65504 : -3.4e38);
  const axes = range(places.length).map((axis) => axis + 2);
  const taps = range(product(kernel)).map((index) => offsets(index, kernel, dilations));
  const windows = taps.map((starts) =>
    b.slice(
      padded,
      starts,
      starts.map((start, axis) => start + (places[axis]! - 1) * strides[axis]! + 1),
      axes,
      strides,
    ),
  );
  const first = b.argMax(
    b.concat(
      windows.map((window) => b.unsqueeze(window, [-1])),
      -1,
    ),
    -1,
  );
  const spread = taps
    .map((starts, index) => {
      const here = b.where(b.equal(first, b.constant(index, [], 'int64')), g!, b.scalar(0, g!));
      return starts.reduce(
        (part, start, axis) => unslice(b, part, axis + 2, start, strides[axis]!, b.dims(padded)[axis + 2]!),
        here,
      );
    })
    .reduce((sum, part) => b.add(sum, part));
  return [
    b.slice(
      spread,
      begins,
      begins.map((begin, axis) => begin + dims[axis + 2]!),
      axes,
    ),
  ];
};

/** Where a window's `index`-th element lies along each axis, row-major. */
function offsets(index: number, kernel: readonly number[], dilations: readonly number[]): readonly number[] {
  return kernel.map((length, axis) => {
    const inner = product(kernel.slice(axis + 1));
    return (Math.floor(index / inner) % length) * dilations[axis]!;
  });
}

/** Each window's gradient, divided by the elements that it averaged, is spread over them by a transposed convolution. */
const averagePool: GradientRule = (b, node, [g]) => {
  const [batch, channels, ...spatial] = b.dims(node.inputs[0]!) as [number, number, ...number[]];
  const places = b.dims(g!).slice(2);
  const geometry = windowGeometry(node, spatial);
  const counts = divisors(node, geometry, spatial, places);
  const shares = b.div(g!, b.constant(counts, [1, 1, ...places], b.dtype(g!)));
  const { ends, outputPadding } = transposedPadding(geometry, places, spatial);
  const ones = b.expand(b.scalar(1, g!), [1, 1, ...geometry.kernel]);
  const planes = b.reshape(shares, [batch * channels, 1, ...places]);
  const spread = b.convTranspose(planes, ones, { ...geometry, ends, groups: 1 }, outputPadding);
  return [b.reshape(spread, [batch, channels, ...spatial])];
};

/** How many elements each window averages, row-major over the windows' places. */
function divisors(
  node: Node,
  geometry: WindowGeometry,
  spatial: readonly number[],
  places: readonly number[],
): readonly number[] {
  const padded = intOf(node, 'count_include_pad', 0) === 1;
  let counts: readonly number[] = [1];
  spatial.forEach((dim, axis) => {
    const low = padded ? -geometry.begins[axis]! : 0;
    const high = dim + (padded ? geometry.ends[axis]! : 0);
    const along = range(places[axis]!).map((place) => {
      const start = place * geometry.strides[axis]! - geometry.begins[axis]!;
      const taps = range(geometry.kernel[axis]!).map((tap) => start + tap * geometry.dilations[axis]!);
      return taps.filter((tap) => tap >= low && tap < high).length;
    });
    counts = counts.flatMap((count) => along.map((length) => count * length));
  });
  return counts;
}

function spatialAxes(b: GraphBuilder, value: string): readonly number[] {
  return range(b.dims(value).length).slice(2);
}

const globalAveragePool: GradientRule = (b, node, [g]) => {
  const dims = b.dims(node.inputs[0]!);
  return [b.expand(b.scale(g!, 1 / product(dims.slice(2))), dims)];
};

/** Equals share the gradient, as in PyTorch's amax. */
const globalMaxPool: GradientRule = (b, node, [g]) => {
  const x = node.inputs[0]!;
  const hits = b.cast(b.equal(x, node.outputs[0]!), b.dtype(x));
  return [b.mul(hits, b.div(g!, b.reduceSum(hits, spatialAxes(b, x), true)))];
};

export const pooling: GradientRules = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
};

export const portablePooling: GradientRules = { MaxPool: portableMaxPool };
