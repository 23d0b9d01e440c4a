import { describe, expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { crossEntropy } from '../../../src/autodiff/loss';
import { siteActivation, siteGradient } from '../../../src/curvature/positions';
import { perExampleGradient } from '../../../src/curvature/taps/projection';
import { GraphBuilder } from '../../../src/onnx/builder';
import { relativeError } from '../../support/statistics';
import { count, node, perceptron, type TinyModel } from '../../support/tinyModel';
import { outputsOf, randomBatch, subjectFor, weightFeeds } from '../../support/tinySubject';

const batch = 3;
const classes = 2;

const linear = (inputs: readonly string[], output: string) => node('Gemm', inputs, output, { transB: 1 });

/** A network of one convolution whose output of so many values goes through a Linear layer. */
function convolution(
  example: readonly number[],
  weight: readonly number[],
  output: readonly number[],
  attributes: Readonly<Record<string, number | string | readonly number[]>>,
  bias = true,
): TinyModel {
  const inputs = bias ? ['x', 'conv.weight', 'conv.bias'] : ['x', 'conv.weight'];
  return {
    example,
    classes,
    weights: {
      'conv.weight': weight,
      ...(bias ? { 'conv.bias': [weight[0]!] } : {}),
      'fc.weight': [classes, count(output)],
      'fc.bias': [classes],
    },
    nodes: [
      node('Conv', inputs, 'convolved', attributes),
      node('Tanh', ['convolved'], 'active'),
      node('Flatten', ['active'], 'flat'),
      node('Gemm', ['flat', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
    ],
  };
}

/** A Linear layer at each of five positions, and the mean over them. */
function positions(weight: readonly number[], nodes: TinyModel['nodes'], more: Partial<TinyModel> = {}): TinyModel {
  return {
    example: [5, 4],
    classes,
    weights: { weight, bias: [classes] },
    nodes: [...nodes, node('ReduceMean', ['rows'], 'logits', { axes: [1], keepdims: 0 })],
    ...more,
  };
}

const networks: readonly (readonly [string, TinyModel])[] = [
  ['two Linear layers', perceptron],
  [
    'a Gemm that does not transpose its weight',
    {
      example: [4],
      classes,
      weights: { weight: [4, classes], bias: [classes] },
      nodes: [node('Gemm', ['x', 'weight', 'bias'], 'logits')],
    },
  ],
  [
    'a Linear layer at several positions',
    positions([4, classes], [node('MatMul', ['x', 'weight'], 'product'), node('Add', ['product', 'bias'], 'rows')]),
  ],
  [
    'a Linear layer at several positions by a transposed weight, its bias added first',
    positions(
      [classes, 4],
      [
        node('Transpose', ['weight'], 'turned', { perm: [1, 0] }),
        node('MatMul', ['x', 'turned'], 'product'),
        node('Add', ['bias', 'product'], 'rows'),
      ],
    ),
  ],
  [
    'a Linear layer at positions that a Reshape folds into rows',
    positions(
      [classes, 4],
      [
        node('Reshape', ['x', 'rows of 4'], 'folded'),
        node('Gemm', ['folded', 'weight', 'bias'], 'product', { transB: 1 }),
        node('Reshape', ['product', 'rows of 5'], 'rows'),
      ],
      { constants: { 'rows of 4': [-1, 4], 'rows of 5': [-1, 5, classes] } },
    ),
  ],
  [
    'a Linear layer at positions of two axes',
    {
      example: [2, 3, 4],
      classes,
      weights: { weight: [4, classes] },
      nodes: [
        node('MatMul', ['x', 'weight'], 'rows'),
        node('ReduceMean', ['rows'], 'logits', { axes: [1, 2], keepdims: 0 }),
      ],
    },
  ],
  [
    'a weight that two layers share',
    {
      example: [4],
      classes: 4,
      weights: { shared: [4, 4], bias: [4], 'fc.weight': [4, 4] },
      nodes: [
        linear(['x', 'shared', 'bias'], 'first'),
        node('Tanh', ['first'], 'active'),
        linear(['active', 'shared', 'bias'], 'second'),
        linear(['second', 'fc.weight'], 'logits'),
      ],
    },
  ],
  [
    'a weight that a Gemm and a MatMul share, the one transposed by an attribute, the other by a node',
    {
      example: [4],
      classes: 4,
      weights: { shared: [4, 4], bias: [4], 'second.bias': [4], 'fc.weight': [4, 4] },
      nodes: [
        linear(['x', 'shared', 'bias'], 'first'),
        node('Tanh', ['first'], 'active'),
        node('Transpose', ['shared'], 'turned', { perm: [1, 0] }),
        node('MatMul', ['active', 'turned'], 'product'),
        node('Add', ['product', 'second.bias'], 'second'),
        linear(['second', 'fc.weight'], 'logits'),
      ],
    },
  ],
  [
    'a layer whose rows are positions first',
    {
      example: [5, 4],
      classes,
      weights: { weight: [4, classes], 'fc.weight': [classes, classes] },
      nodes: [
        node('Transpose', ['x'], 'turned', { perm: [1, 0, 2] }),
        node('MatMul', ['turned', 'weight'], 'product'),
        node('ReduceMean', ['product'], 'mean', { axes: [0], keepdims: 0 }),
        linear(['mean', 'fc.weight'], 'logits'),
      ],
    },
  ],
  ['a convolution', convolution([2, 5, 5], [3, 2, 3, 3], [3, 3, 3], {})],
  ['a convolution without bias', convolution([2, 5, 5], [3, 2, 3, 3], [3, 3, 3], {}, false)],
  ['strides and uneven pads', convolution([2, 6, 5], [3, 2, 3, 2], [3, 4, 3], { strides: [2, 2], pads: [1, 0, 2, 1] })],
  ['dilation', convolution([2, 7, 7], [3, 2, 3, 2], [3, 3, 5], { dilations: [2, 2] })],
  [
    'dilation, stride and pads',
    convolution([1, 8, 8], [2, 1, 3, 3], [2, 4, 3], { dilations: [2, 3], strides: [2, 2], pads: [2, 1, 1, 2] }),
  ],
  ['auto_pad SAME_UPPER', convolution([2, 5, 6], [3, 2, 3, 2], [3, 3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] })],
  ['auto_pad SAME_LOWER', convolution([2, 5, 6], [3, 2, 2, 3], [3, 5, 6], { auto_pad: 'SAME_LOWER' })],
  ['auto_pad VALID', convolution([2, 5, 5], [3, 2, 2, 2], [3, 4, 4], { auto_pad: 'VALID' })],
  ['groups', convolution([4, 4, 4], [6, 2, 3, 3], [6, 2, 2], { group: 2 })],
  ['a depthwise convolution', convolution([3, 4, 4], [6, 1, 3, 3], [6, 4, 4], { group: 3, pads: [1, 1, 1, 1] })],
  ['one axis', convolution([2, 9], [3, 2, 4], [3, 4], { strides: [2], pads: [1, 0] })],
  ['three axes', convolution([2, 3, 4, 3], [2, 2, 2, 2, 2], [2, 2, 3, 2], {})],
  ['a kernel as large as its input', convolution([2, 4, 4], [3, 2, 4, 4], [3, 1, 1], {})],
];

/** Rows of a weight in a site's order [outputs, inputs without bias]: MatMul's and plain Gemm's are transposed. */
function byOutputs(weight: Float32Array, dims: readonly number[], outputs: number): Float32Array {
  const width = weight.length / outputs;
  if (dims[0] === outputs || dims.length > 2) return weight;
  return Float32Array.from(weight, (_, i) => weight[(i % width) * outputs + Math.floor(i / width)]!);
}

describe('activation times gradient is the weight gradient', () => {
  test.for(networks)('of %s', async ([, tiny]) => {
    const { model, types, sites, trained } = await subjectFor(tiny, batch);
    const builder = new GraphBuilder(model, types);
    for (const weight of trained) builder.weightInput(weight);
    const labels = builder.input('labels', { dtype: 'int64', dims: [batch] });
    const losses = crossEntropy(builder, 'logits', labels);
    const ones = builder.constant(new Float32Array(batch).fill(1), [batch]);
    const targets = [...new Set([...sites.flatMap(({ uses }) => uses.map(({ output }) => output)), ...trained])];
    const gradients = backward(builder, new Map([[losses, ones]]), targets);
    for (const weight of trained) builder.output(`whole ${weight}`, gradients.get(weight)!);
    sites.forEach((site, index) => {
      const activation = siteActivation(builder, site);
      const gradient = siteGradient(builder, site, gradients);
      const each = perExampleGradient(builder, site, { activation, gradient });
      builder.output(`site ${index}`, builder.reduceSum(each, [0]));
    });
    const feeds = {
      ...weightFeeds(tiny),
      x: randomBatch(tiny, batch),
      labels: { dtype: 'int64' as const, dims: [batch], data: BigInt64Array.of(1n, 0n, 1n) },
    };
    const output = await outputsOf(builder.build(), feeds);

    const covered = new Set(sites.flatMap(({ initializers }) => initializers));
    expect(covered).toEqual(trained);
    sites.forEach((site, index) => {
      const found = output(`site ${index}`);
      const biases = site.initializers.filter((name) => name !== site.weight);
      const width = site.inputs - biases.length;
      const { map } = site.uses[0]!;
      const part = (name: string, size: number) => {
        const group = map.kind === 'convolution' ? map.group : 0;
        const groups = map.kind === 'convolution' ? map.groups : 1;
        const all = byOutputs(output(`whole ${name}`), tiny.weights[name]!, site.outputs * groups);
        return all.subarray(group * site.outputs * size, (group + 1) * site.outputs * size);
      };
      const column = (from: number, to: number) =>
        found.filter((_, i) => i % site.inputs >= from && i % site.inputs < to);
      expect(relativeError(column(0, width), part(site.weight, width))).toBeLessThan(1e-5);
      biases.forEach((bias, index) => {
        const at = width + index;
        expect(relativeError(column(at, at + 1), part(bias, 1))).toBeLessThan(1e-5);
      });
    });
  });
});

describe('left out is', () => {
  test.for<readonly [string, TinyModel, readonly string[]]>([
    [
      'a weight that another op reads too',
      {
        example: [4],
        classes: 4,
        weights: { shared: [4, 4], 'fc.weight': [4, 4] },
        nodes: [
          linear(['x', 'shared'], 'first'),
          node('Transpose', ['shared'], 'turned', { perm: [1, 0] }),
          node('ReduceMean', ['turned'], 'mean', { axes: [0], keepdims: 1 }),
          node('Add', ['first', 'mean'], 'active'),
          linear(['active', 'fc.weight'], 'logits'),
        ],
      },
      ['fc.weight'],
    ],
    [
      'a weight that one layer multiplies by and another by its transpose',
      {
        example: [4],
        classes: 3,
        weights: { tied: [6, 4], 'fc.weight': [3, 4] },
        nodes: [
          linear(['x', 'tied'], 'code'),
          node('Tanh', ['code'], 'active'),
          node('MatMul', ['active', 'tied'], 'decoded'),
          linear(['decoded', 'fc.weight'], 'logits'),
        ],
      },
      ['fc.weight'],
    ],
    [
      'a bias that two layers share, their weights not',
      {
        example: [4],
        classes: 4,
        weights: { a: [4, 4], b: [4, 4], shared: [4] },
        nodes: [linear(['x', 'a', 'shared'], 'first'), linear(['first', 'b', 'shared'], 'logits')],
      },
      ['a', 'b'],
    ],
    [
      'what multiplies no example: places, as many as there are examples',
      {
        example: [3, 4],
        classes,
        weights: { places: [3, 4], weight: [4, 4], 'fc.weight': [4, classes] },
        nodes: [
          node('MatMul', ['places', 'weight'], 'turned'),
          node('Add', ['x', 'turned'], 'sum'),
          node('MatMul', ['sum', 'fc.weight'], 'rows'),
          node('ReduceMean', ['rows'], 'logits', { axes: [1], keepdims: 0 }),
        ],
      },
      ['fc.weight'],
    ],
    [
      'what scales a product, not its weight',
      {
        example: [4],
        classes,
        weights: { weight: [3, 4], scale: [3], 'fc.weight': [classes, 3] },
        nodes: [
          linear(['x', 'weight'], 'first'),
          node('Mul', ['first', 'scale'], 'scaled'),
          linear(['scaled', 'fc.weight'], 'logits'),
        ],
      },
      ['weight', 'fc.weight'],
    ],
  ])('%s', async ([, tiny, covered]) => {
    const { sites } = await subjectFor(tiny, batch);
    expect(sites.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias]))).toEqual(covered);
  });
});
