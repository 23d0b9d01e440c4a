import { intOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { range } from '../../onnx/dims';
import { type ConvolutionGeometry, transposedGeometry, transposedPadding, windowGeometry } from '../../onnx/window';
import { asNeeded, type GradientRule, type GradientRules } from '../rule';

const conv: GradientRule = (b, node, [g], needs) => {
  const [x, weight, bias] = node.inputs as [string, string, string | undefined];
  const kernel = b.dims(weight).slice(2);
  const geometry = { ...windowGeometry(node, b.dims(x).slice(2), kernel), groups: intOf(node, 'group', 1) };
  return asNeeded(
    needs,
    () => convInputGradient(b, g!, weight, geometry, b.dims(x).slice(2)),
    () => convWeightGradient(b, x, g!, geometry, kernel),
    ...(bias ? [() => channelSums(b, g!)] : []),
  );
};

/** The gradient of what a Conv reads: the transposed convolution, cut or padded to the input's size. */
export function convInputGradient(
  b: GraphBuilder,
  g: string,
  weight: string,
  geometry: ConvolutionGeometry,
  spatial: readonly number[],
): string {
  const kernel = b.dims(weight).slice(2);
  const { ends, outputPadding } = transposedPadding({ ...geometry, kernel }, b.dims(g).slice(2), spatial);
  return b.convTranspose(g, weight, { ...geometry, ends }, outputPadding);
}

/**
 * The gradient of a Conv's weight, [channels out, channels in / groups, ...kernel], is itself a convolution: of the
 * input over the batch, by the output's gradient, with stride and dilation exchanged.
 */
export function convWeightGradient(
  b: GraphBuilder,
  x: string,
  g: string,
  geometry: ConvolutionGeometry,
  kernel: readonly number[],
): string {
  const { groups } = geometry;
  const [batch, channels, ...spatial] = b.dims(x) as [number, number, ...number[]];
  const [, outputs, ...places] = b.dims(g) as [number, number, ...number[]];
  const axes = range(spatial.length);
  const perGroup = channels / groups;
  const byGroup = b.reshape(x, [batch, groups, perGroup, ...spatial]);
  const images = b.reshape(b.transpose(byGroup, [2, 1, 0, ...axes.map((axis) => axis + 3)]), [
    perGroup,
    groups * batch,
    ...spatial,
  ]);
  const filters = b.transpose(g, [1, 0, ...axes.map((axis) => axis + 2)]);
  const exchanged = { ...geometry, strides: geometry.dilations, dilations: geometry.strides };
  const result = b.conv(images, b.reshape(filters, [outputs, batch, ...places]), null, exchanged);
  const cut = b.slice(
    result,
    axes.map(() => 0),
    kernel,
    axes.map((axis) => axis + 2),
  );
  return b.transpose(cut, [1, 0, ...axes.map((axis) => axis + 2)]);
}

/** ConvTranspose is Conv's input gradient, so its gradients are Conv's other two with the roles exchanged. */
const convTranspose: GradientRule = (b, node, [g], needs) => {
  const [x, weight, bias] = node.inputs as [string, string, string | undefined];
  const kernel = b.dims(weight).slice(2);
  const places = b.dims(x).slice(2);
  const reached = b.dims(g!).slice(2);
  const geometry = { ...transposedGeometry(node, places, reached, kernel), groups: intOf(node, 'group', 1) };
  // As a Conv from g back to x: the end padding is what makes it have exactly x's size.
  const ends = reached.map(
    (dim, axis) =>
      (places[axis]! - 1) * geometry.strides[axis]! +
      geometry.dilations[axis]! * (kernel[axis]! - 1) +
      1 -
      dim -
      geometry.begins[axis]!,
  );
  const padded = b.pad(g!, [0, 0, ...ends.map(() => 0)], [0, 0, ...ends.map((end) => Math.max(0, end))]);
  const whole = b.slice(
    padded,
    ends.map(() => 0),
    reached.map((dim, axis) => dim + ends[axis]!),
    range(ends.length).map((axis) => axis + 2),
  );
  const exact = { ...geometry, ends: ends.map(() => 0) };
  return asNeeded(
    needs,
    () => b.conv(whole, weight, null, exact),
    () => convWeightGradient(b, whole, x, exact, kernel),
    ...(bias ? [() => channelSums(b, g!)] : []),
  );
};

function channelSums(b: GraphBuilder, g: string): string {
  return b.reduceSum(
    g,
    range(b.dims(g).length).filter((axis) => axis !== 1),
  );
}

export const convolution: GradientRules = { Conv: conv, ConvTranspose: convTranspose };
