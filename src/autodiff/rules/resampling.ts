import { intOf, intsOf, stringOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { positiveAxis, product, range } from '../../onnx/dims';
import type { Node } from '../../onnx/graph';
import { interpolationMatrix } from '../../onnx/interpolation';
import { type GradientRule, type GradientRules, unsupportedForm } from '../rule';

/** Interpolation is linear and works axis by axis, so each axis' gradient is a product with its matrix transposed. */
const resize: GradientRule = (b, node, [g]) => {
  const from = b.dims(node.inputs[0]!);
  const to = b.dims(g!);
  const scales = statedScales(b, node, from, to);
  let gradient = g!;
  for (const axis of range(from.length)) {
    if (from[axis] === to[axis] && scales[axis] === 1) continue;
    const matrix = interpolationMatrix(node, { from: from[axis]!, to: to[axis]!, scale: scales[axis]! });
    if (!matrix) {
      throw unsupportedForm(b, node, 'it crops or antialiases', 'Resize by nearest or linear interpolation.');
    }
    gradient = alongAxis(b, gradient, matrix, axis, from[axis]!);
  }
  return [gradient, ...node.inputs.slice(1).map(() => null)];
};

/** Results per element along each axis, as the node gives them or as its sizes imply. */
function statedScales(b: GraphBuilder, node: Node, from: readonly number[], to: readonly number[]): readonly number[] {
  const axes = (intsOf(node, 'axes') ?? range(from.length)).map((axis) => positiveAxis(axis, from.length));
  const implied = from.map((dim, axis) => to[axis]! / dim);
  // Sizes computed while the model runs are those that probing has seen.
  const scales = (node.inputs[2] && b.constantOf(node.inputs[2])) || [];
  if (scales.length === 0) {
    if (stringOf(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') {
      throw unsupportedForm(b, node, 'it keeps the aspect ratio', 'State the size that it resizes to.');
    }
    return implied;
  }
  return implied.map((_, axis) => scales[axes.indexOf(axis)] ?? 1);
}

/** `g` times the matrix [b.dims(g)[axis], length] along `axis`. */
function alongAxis(b: GraphBuilder, g: string, matrix: readonly number[], axis: number, length: number): string {
  const dims = b.dims(g);
  const stacked = b.reshape(g, [product(dims.slice(0, axis)), dims[axis]!, product(dims.slice(axis + 1))]);
  const weights = b.transpose(b.constant(matrix, [dims[axis]!, length], b.dtype(g)), [1, 0]);
  return b.reshape(
    b.matmul(weights, stacked),
    dims.map((dim, at) => (at === axis ? length : dim)),
  );
}

/** [batch, channels, height, width] rearranged with blocks as channels: `columnFirst` as ONNX's CRD, else DCR. */
function blocksAsChannels(b: GraphBuilder, value: string, block: number, columnFirst: boolean): string {
  const [batch, channels, height, width] = b.dims(value) as [number, number, number, number];
  const split = b.reshape(value, [batch, channels, height / block, block, width / block, block]);
  const turned = b.transpose(split, columnFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]);
  return b.reshape(turned, [batch, channels * block * block, height / block, width / block]);
}

const depthToSpace: GradientRule = (b, node, [g]) => [
  blocksAsChannels(b, g!, intOf(node, 'blocksize', 1), stringOf(node, 'mode', 'DCR') === 'CRD'),
];

const spaceToDepth: GradientRule = (b, node, [g]) => {
  const block = intOf(node, 'blocksize', 1);
  const [batch, channels, height, width] = b.dims(node.inputs[0]!) as [number, number, number, number];
  const split = b.reshape(g!, [batch, block, block, channels, height / block, width / block]);
  return [b.reshape(b.transpose(split, [0, 3, 4, 1, 5, 2]), [batch, channels, height, width])];
};

export const resampling: GradientRules = { Resize: resize, DepthToSpace: depthToSpace, SpaceToDepth: spaceToDepth };
