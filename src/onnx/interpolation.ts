import { floatOf, intOf, stringOf } from './attributes';
import { range } from './dims';
import type { Node } from './graph';

/** One axis of a Resize: `scale` is how many results there are for each element, as the node states it. */
export interface ResampledAxis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

/** Where the results of a Resize lie between its elements. Source: the definition of ONNX's Resize. */
function coordinate(mode: string, place: number, { from, to, scale }: ResampledAxis): number {
  switch (mode) {
    case 'asymmetric':
      return place / scale;
    case 'align_corners':
      return to === 1 ? 0 : (place * (from - 1)) / (to - 1);
    case 'pytorch_half_pixel':
      return to > 1 ? (place + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric':
      return (from / 2) * (1 - to / (from * scale)) + (place + 0.5) / scale - 0.5;
    default:
      return (place + 0.5) / scale - 0.5;
  }
}

function nearest(mode: string, at: number): number {
  switch (mode) {
    case 'floor':
      return Math.floor(at);
    case 'ceil':
      return Math.ceil(at);
    case 'round_prefer_ceil':
      return Math.floor(at + 0.5);
    default:
      return Math.ceil(at - 0.5);
  }
}

/** Weights of the elements around a place at the distance `fraction` after the first of the two in the middle. */
function cubicWeights(fraction: number, a: number): readonly number[] {
  const inner = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const outer = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [outer(1 + fraction), inner(fraction), inner(1 - fraction), outer(2 - fraction)];
}

/**
 * The matrix [to, from], row-major, by which a Resize node maps one axis; null for modes that no matrix states.
 */
export function interpolationMatrix(node: Node, axis: ResampledAxis): readonly number[] | null {
  const mode = stringOf(node, 'mode', 'nearest');
  const coordinates = stringOf(node, 'coordinate_transformation_mode', 'half_pixel');
  const reduced = axis.to < axis.from && intOf(node, 'antialias', 0) === 1;
  if (coordinates === 'tf_crop_and_resize' || reduced || !['nearest', 'linear', 'cubic'].includes(mode)) return null;
  const excluding = mode === 'cubic' && intOf(node, 'exclude_outside', 0) === 1;
  const matrix = new Array<number>(axis.to * axis.from).fill(0);
  for (const place of range(axis.to)) {
    const at = coordinate(coordinates, place, axis);
    const taps = tapsAt(node, mode, at).filter(([element]) => !excluding || (element >= 0 && element < axis.from));
    const total = excluding ? taps.reduce((sum, [, weight]) => sum + weight, 0) : 1;
    for (const [element, weight] of taps) {
      const inside = Math.min(Math.max(element, 0), axis.from - 1);
      matrix[place * axis.from + inside]! += weight / total;
    }
  }
  return matrix;
}

/** Elements around a coordinate with their weights; elements may lie outside. */
function tapsAt(node: Node, mode: string, at: number): readonly (readonly [number, number])[] {
  if (mode === 'nearest') return [[nearest(stringOf(node, 'nearest_mode', 'round_prefer_floor'), at), 1]];
  const first = Math.floor(at);
  const fraction = at - first;
  if (mode === 'cubic') {
    const weights = cubicWeights(fraction, floatOf(node, 'cubic_coeff_a', -0.75));
    return weights.map((weight, index) => [first - 1 + index, weight]);
  }
  return [
    [first, 1 - fraction],
    [first + 1, fraction],
  ];
}
