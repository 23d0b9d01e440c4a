import { WhenceError } from '../protocol/errors';
import { intsOf, stringOf } from './attributes';
import type { Attribute, Node } from './graph';

/** How a window moves over the spatial axes; one entry for each of them. */
export interface WindowGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after each axis; may differ. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** What Conv and ConvTranspose need beside their operands; the kernel's size is the weight's. */
export interface ConvolutionGeometry extends Omit<WindowGeometry, 'kernel'> {
  readonly groups: number;
}

/**
 * The geometry of a Conv, ConvTranspose or pooling node, `auto_pad` resolved.
 * @param spatial input's spatial dimensions
 * @param kernel the weight's, for nodes that may leave `kernel_shape` out
 * @throws WhenceError `unsupported-op` for an `auto_pad` that ONNX does not define
 */
export function windowGeometry(node: Node, spatial: readonly number[], kernel?: readonly number[]): WindowGeometry {
  const ones = spatial.map(() => 1);
  const zeros = spatial.map(() => 0);
  const shape = kernel ?? intsOf(node, 'kernel_shape') ?? ones;
  const strides = intsOf(node, 'strides') ?? ones;
  const dilations = intsOf(node, 'dilations') ?? ones;
  const mode = stringOf(node, 'auto_pad', 'NOTSET');
  const base = { kernel: shape, strides, dilations };
  if (mode === 'VALID') return { ...base, begins: zeros, ends: zeros };
  if (mode === 'NOTSET') {
    const pads = intsOf(node, 'pads') ?? [...zeros, ...zeros];
    return { ...base, begins: pads.slice(0, spatial.length), ends: pads.slice(spatial.length) };
  }
  if (mode !== 'SAME_UPPER' && mode !== 'SAME_LOWER') {
    throw new WhenceError('unsupported-op', `Node ${node.name} pads by the unknown rule ${mode}.`, {
      place: `node ${node.name}`,
    });
  }
  const totals = spatial.map((dim, axis) => {
    const reach = dilations[axis]! * (shape[axis]! - 1) + 1;
    return Math.max(0, (Math.ceil(dim / strides[axis]!) - 1) * strides[axis]! + reach - dim);
  });
  const less = totals.map((total) => Math.floor(total / 2));
  const more = totals.map((total) => Math.ceil(total / 2));
  return mode === 'SAME_UPPER' ? { ...base, begins: less, ends: more } : { ...base, begins: more, ends: less };
}

export function geometryAttributes(geometry: ConvolutionGeometry): Readonly<Record<string, Attribute>> {
  return {
    strides: { kind: 'ints', value: geometry.strides },
    dilations: { kind: 'ints', value: geometry.dilations },
    pads: { kind: 'ints', value: [...geometry.begins, ...geometry.ends] },
    group: { kind: 'int', value: geometry.groups },
  };
}

/** [batch, channels out, ...spatial] of a Conv of [batch, channels in, ...] with [channels out, channels in / groups, ...kernel]. */
export function convDims(
  input: readonly number[],
  weight: readonly number[],
  g: ConvolutionGeometry,
): readonly number[] {
  if (input.length !== weight.length || input[1] !== weight[1]! * g.groups || weight[0]! % g.groups !== 0) {
    throw new WhenceError(
      'shape-mismatch',
      `Conv cannot take the shapes [${input.join(', ')}] and [${weight.join(', ')}] in ${g.groups} groups.`,
    );
  }
  const spatial = input.slice(2).map((dim, axis) => {
    const reach = g.dilations[axis]! * (weight[axis + 2]! - 1) + 1;
    return Math.floor((dim + g.begins[axis]! + g.ends[axis]! - reach) / g.strides[axis]!) + 1;
  });
  return [input[0]!, weight[0]!, ...spatial];
}

export function convTransposeDims(
  input: readonly number[],
  weight: readonly number[],
  g: ConvolutionGeometry,
  outputPadding: readonly number[],
): readonly number[] {
  if (input.length !== weight.length || input[1] !== weight[0]) {
    throw new WhenceError(
      'shape-mismatch',
      `ConvTranspose cannot take the shapes [${input.join(', ')}] and [${weight.join(', ')}].`,
    );
  }
  const spatial = input.slice(2).map((dim, axis) => {
    const reach = g.dilations[axis]! * (weight[axis + 2]! - 1) + 1;
    return (dim - 1) * g.strides[axis]! + reach + outputPadding[axis]! - g.begins[axis]! - g.ends[axis]!;
  });
  return [input[0]!, weight[1]! * g.groups, ...spatial];
}

/**
 * What makes a ConvTranspose undo a window of `geometry` that took `spatial` to `places`: cutting less at the end where
 * the window did not reach it, padding where even that is too short.
 */
export function transposedPadding(
  geometry: WindowGeometry,
  places: readonly number[],
  spatial: readonly number[],
): { readonly ends: readonly number[]; readonly outputPadding: readonly number[] } {
  const surplus = spatial.map((dim, axis) => {
    const reach = geometry.dilations[axis]! * (geometry.kernel[axis]! - 1) + 1;
    return (places[axis]! - 1) * geometry.strides[axis]! + reach - geometry.begins[axis]! - dim;
  });
  return {
    ends: surplus.map((length) => Math.max(0, length)),
    outputPadding: surplus.map((length) => Math.max(0, -length)),
  };
}

/**
 * The geometry of a ConvTranspose node from `spatial` to `reached`. Where it states the size of its result instead of the
 * padding, the padding is what is left over, the odd one at the end for SAME_UPPER and at the beginning else.
 */
export function transposedGeometry(
  node: Node,
  spatial: readonly number[],
  reached: readonly number[],
  kernel: readonly number[],
): WindowGeometry {
  const { auto_pad: _mode, ...attributes } = node.attributes;
  const stated = windowGeometry({ ...node, attributes }, spatial, kernel);
  const mode = stringOf(node, 'auto_pad', 'NOTSET');
  if (mode === 'VALID') return { ...stated, begins: spatial.map(() => 0), ends: spatial.map(() => 0) };
  if (mode === 'NOTSET' && !intsOf(node, 'output_shape')) return stated;
  const added = intsOf(node, 'output_padding') ?? spatial.map(() => 0);
  const totals = spatial.map((dim, axis) => {
    const reach = stated.dilations[axis]! * (kernel[axis]! - 1) + 1;
    return Math.max(0, (dim - 1) * stated.strides[axis]! + added[axis]! + reach - reached[axis]!);
  });
  const less = totals.map((total) => Math.floor(total / 2));
  const more = totals.map((total) => Math.ceil(total / 2));
  return mode === 'SAME_UPPER' ? { ...stated, begins: less, ends: more } : { ...stated, begins: more, ends: less };
}
