import { describe, expect, test } from 'vitest';
import type { Initializer, Model, Node } from '../../../src/onnx/graph';
import { probeTypes } from '../../../src/onnx/shape';
import { bytesOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';
import { failure } from '../../support/failure';
import { node } from '../../support/tinyModel';

/** Small graphs whose values would be immense, by every way to make a tensor larger. */

const runtime = createRuntime('cpu', 1);
const x = tensorOf('float32', [2, 3], [1, 2, 3, 4, 5, 6]);
const billion = 1_000_000_000;

type Lists = Readonly<Record<string, readonly number[] | number>>;

/** A graph on the input `x` [2, 3] with constants: `i...` are int64, others float32; numbers are scalars. */
function graph(nodes: readonly Node[], constants: Lists = {}, opset = 18): Model {
  const initializers = Object.entries(constants).map(([name, values]): [string, Initializer] => {
    const list = typeof values === 'number' ? [values] : values;
    const tensor = tensorOf(
      name.startsWith('i') ? 'int64' : 'float32',
      typeof values === 'number' ? [] : [list.length],
      list,
    );
    return [name, { name, dtype: tensor.dtype, dims: tensor.dims, bytes: bytesOf(tensor) }];
  });
  return {
    file: '/models/m.onnx',
    irVersion: 8,
    producer: '',
    opsets: new Map([['', opset]]),
    graph: {
      name: 'g',
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', 3] }],
      outputs: [],
      initializers: new Map(initializers),
      nodes,
    },
  };
}

/** `b` is the value that no memory holds. */
const bombs: Readonly<Record<string, readonly [readonly Node[], Lists?]>> = {
  'ConstantOfShape of a constant': [[node('ConstantOfShape', ['i'], 'b')], { i: [billion] }],
  'ConstantOfShape of a Constant node': [
    [node('Constant', [], 's', { value_ints: [billion] }), node('ConstantOfShape', ['s'], 'b')],
  ],
  'ConstantOfShape of a computed shape': [
    [node('Shape', ['x'], 's'), node('Mul', ['s', 'i'], 'large'), node('ConstantOfShape', ['large'], 'b')],
    { i: [20_000, 20_000] },
  ],
  Expand: [
    [node('Unsqueeze', ['x', 'iAxis'], 'u'), node('Expand', ['u', 'i'], 'b')],
    { iAxis: [0], i: [billion, 2, 3] },
  ],
  'Expand by what the data hold': [
    [
      node('ReduceMax', ['x'], 'largest', { keepdims: 0 }),
      node('Cast', ['largest'], 'whole', { to: 7 }),
      node('Mul', ['whole', 'i'], 'length'),
      node('Reshape', ['length', 'iOne'], 'shape'),
      node('ConstantOfShape', ['shape'], 'b'),
    ],
    { i: billion, iOne: [1] },
  ],
  'Expand by how many are not zero': [
    [
      node('NonZero', ['x'], 'found'),
      node('Shape', ['found'], 's'),
      node('Mul', ['s', 'i'], 'large'),
      node('ConstantOfShape', ['large'], 'b'),
    ],
    { i: [1e5, 1e5] },
  ],
  Tile: [[node('Tile', ['x', 'i'], 'b')], { i: [50_000, 50_000] }],
  Range: [[node('Range', ['iFrom', 'iTo', 'iStep'], 'b')], { iFrom: 0, iTo: billion, iStep: 1 }],
  'Range of a length that is computed': [
    [node('Size', ['x'], 'n'), node('Mul', ['n', 'i'], 'to'), node('Range', ['iFrom', 'to', 'iStep'], 'b')],
    { i: billion, iFrom: 0, iStep: 1 },
  ],
  'Resize by scales': [[node('Resize', ['x', '', 'scales'], 'b')], { scales: [1e5, 1e5] }],
  'Resize to sizes': [[node('Resize', ['x', '', '', 'i'], 'b')], { i: [1e5, 1e5] }],
  Pad: [[node('Pad', ['x', 'i'], 'b')], { i: [0, billion, 0, 0] }],
  OneHot: [
    [node('Cast', ['x'], 'whole', { to: 7 }), node('OneHot', ['whole', 'iDepth', 'values'], 'b')],
    { iDepth: billion, values: [0, 1] },
  ],
  'a sum that broadcasts': [
    [
      node('ConstantOfShape', ['iRows'], 'rows'),
      node('ConstantOfShape', ['iColumns'], 'columns'),
      node('Add', ['rows', 'columns'], 'b'),
    ],
    { iRows: [50_000, 1], iColumns: [1, 50_000] },
  ],
  'an outer product': [
    [
      node('ConstantOfShape', ['iRows'], 'rows'),
      node('ConstantOfShape', ['iColumns'], 'columns'),
      node('MatMul', ['rows', 'columns'], 'b'),
    ],
    { iRows: [50_000, 1], iColumns: [1, 50_000] },
  ],
  Einsum: [
    [node('ConstantOfShape', ['i'], 'rows'), node('Einsum', ['rows', 'rows'], 'b', { equation: 'a,b->ab' })],
    { i: [50_000] },
  ],
  'ConvTranspose of a long stride': [
    [
      node('Reshape', ['x', 'i'], 'image'),
      node('ConstantOfShape', ['iKernel'], 'kernel'),
      node('ConvTranspose', ['image', 'kernel'], 'b', { strides: [1e5, 1e5] }),
    ],
    { i: [1, 1, 2, 3], iKernel: [1, 1, 1, 1] },
  ],
  'a dimension of 2³² and one, which the runtime tells as one': [
    [node('ConstantOfShape', ['i'], 'b')],
    { i: [2 ** 32 + 1] },
  ],
  'a dimension of 2³¹, which the runtime tells as a negative one': [
    [node('ConstantOfShape', ['i'], 'b'), node('Neg', ['b'], 'c'), node('Exp', ['c'], 'd')],
    { i: [2 ** 31] },
  ],
  'Tile to 2³², which the runtime tells as none': [
    [node('ConstantOfShape', ['iFrom'], 'v'), node('Tile', ['v', 'i'], 'b')],
    { iFrom: [2 ** 16], i: [2 ** 16] },
  ],
  'many values of fair size that are needed at once': [
    [
      ...[1, 2].map((index) => node('Expand', ['x', 'i'], `v${index}`)),
      node('Expand', ['x', 'i'], 'b'),
      node('Sum', ['v1', 'v2', 'b'], 'y'),
    ],
    { i: [80_000_000, 2, 3] },
  ],
  'Concat that doubles': [
    Array.from({ length: 27 }, (_, i) =>
      node('Concat', [i === 0 ? 'x' : `v${i}`, i === 0 ? 'x' : `v${i}`], i === 26 ? 'b' : `v${i + 1}`, { axis: 0 }),
    ),
  ],
  'Gather of many rows': [
    [
      node('ConstantOfShape', ['iWide'], 'wide'),
      node('ConstantOfShape', ['iMany'], 'zeros'),
      node('Cast', ['zeros'], 'rows', { to: 7 }),
      node('Gather', ['wide', 'rows'], 'b'),
    ],
    { iWide: [1, 1e5], iMany: [1e5] },
  ],
  'numbers at random': [[node('RandomNormal', [], 'b', { shape: [1e5, 1e5] })]],
  HannWindow: [[node('HannWindow', ['i'], 'b')], { i: billion }],
  CenterCropPad: [[node('CenterCropPad', ['x', 'i'], 'b')], { i: [1e5, 1e5] }],
  Col2Im: [
    [
      node('Reshape', ['x', 'iColumns'], 'columns'),
      node('Col2Im', ['columns', 'iImage', 'iBlock'], 'b', { strides: [1e5, 1e5] }),
    ],
    { iColumns: [1, 1, 6], iImage: [1e5 + 1, 2e5 + 1], iBlock: [1, 1] },
  ],
  MaxUnpool: [
    [
      node('Reshape', ['x', 'i'], 'image'),
      node('Cast', ['image'], 'indices', { to: 7 }),
      node('MaxUnpool', ['image', 'indices', 'iTo'], 'b', { kernel_shape: [1, 1] }),
    ],
    { i: [1, 1, 2, 3], iTo: [1, 1, 1e5, 1e5] },
  ],
  AffineGrid: [
    [node('Reshape', ['x', 'i'], 'theta'), node('AffineGrid', ['theta', 'iTo'], 'b')],
    { i: [1, 2, 3], iTo: [1, 1, 1e5, 1e5] },
  ],
  'GridSample of a large grid': [
    [
      node('Reshape', ['x', 'i'], 'image'),
      node('ConstantOfShape', ['iGrid'], 'grid'),
      node('GridSample', ['image', 'grid'], 'b'),
    ],
    { i: [1, 6, 1, 1], iGrid: [1, 1e4, 1e4, 2] },
  ],
};

describe.each(Object.entries(bombs))('%s', (name, [nodes, constants]) => {
  test('is refused before it is computed', async () => {
    const opset = name === 'AffineGrid' ? 20 : 18;
    const before = process.resourceUsage().maxRSS;
    const error = await failure(probeTypes(graph(nodes, constants, opset), runtime, { x }));
    expect(error.describe()).toMatch(/GB/);
    expect(error.code).toBe('out-of-memory');
    expect(error.details).toMatchObject({ file: '/models/m.onnx', place: 'node node_b' });
    expect((process.resourceUsage().maxRSS - before) / 1024, 'MB').toBeLessThan(1000);
  });
});
