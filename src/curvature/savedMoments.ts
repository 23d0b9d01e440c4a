import { GraphBuilder } from '../onnx/builder';
import type { Model } from '../onnx/graph';
import { WhenceError } from '../protocol/errors';
import type { Site, Use } from './site';
import { outputNames, type Subject } from './subject';
import { type Product, products } from './uses';

/**
 * Rows and columns of what the graph's weights are fed with, site by site: mean over each row of the site's gradient [outputs] and
 * over each column [inputs]. Fed with numbers that belong to the weights one by one, as an optimizer's second moments do, the
 * graph itself says where each of them lies, through every transpose, slice and join between the weight and its product.
 */
export function marginalGraph(subject: Subject): Model {
  const builder = new GraphBuilder(subject.model, subject.types);
  for (const weight of subject.trained) builder.weightInput(weight);
  const byOutput = new Map(
    products(subject.model.graph, subject.types).map((product) => [product.output, product] as const),
  );
  subject.sites.forEach((site, index) => {
    const matrix = siteMatrix(builder, site, byOutput);
    builder.output(outputNames.squaredRows(index), builder.reduceMean(matrix, [1]));
    builder.output(outputNames.squaredColumns(index), builder.reduceMean(matrix, [0]));
  });
  return builder.build();
}

/** A site's weight and biases as its gradient lies: [outputs, inputs]. */
function siteMatrix(builder: GraphBuilder, site: Site, byOutput: ReadonlyMap<string, Product>): string {
  const [first] = site.uses as [Use];
  const { map } = first;
  if (map.kind === 'normalization') {
    const vectors = [map.scale, map.shift].filter((name) => name !== '');
    return builder.reshape(builder.concat(vectors, 0), [site.outputs, 1]);
  }
  if (map.kind === 'lookup') {
    return builder.transpose(builder.reshape(map.table, [site.inputs, site.outputs]), [1, 0]);
  }
  const width = site.inputs - first.trailing.length;
  const columns = first.trailing.map((_, bias) => biasColumn(builder, site, bias, byOutput));
  return builder.concat([weightMatrix(builder, site, first, width, byOutput), ...columns], 1);
}

function weightMatrix(
  builder: GraphBuilder,
  site: Site,
  { output, map }: Use,
  width: number,
  byOutput: ReadonlyMap<string, Product>,
): string {
  const { node, weight } = productOf(output, byOutput);
  if (map.kind === 'convolution') return ownChannels(builder, weight, map.group, [site.outputs, width]);
  const isTurned = node.op === 'MatMul' || node.attributes.transB?.value !== 1;
  return isTurned ? builder.transpose(weight, [1, 0]) : weight;
}

/** [outputs, 1]; of two vectors that are added up, their mean. */
function biasColumn(builder: GraphBuilder, site: Site, bias: number, byOutput: ReadonlyMap<string, Product>): string {
  const { output, map, trailing } = site.uses.find((use) => use.trailing[bias] !== 0)!;
  const group = map.kind === 'convolution' ? map.group : 0;
  const column = ownChannels(builder, productOf(output, byOutput).bias, group, [site.outputs, 1]);
  return builder.mul(column, builder.scalar(1 / trailing[bias]! ** 2, column));
}

/** A group's share of the leading axis, as a matrix. */
function ownChannels(builder: GraphBuilder, value: string, group: number, dims: readonly [number, number]): string {
  const [outputs] = dims;
  return builder.reshape(builder.slice(value, [group * outputs], [(group + 1) * outputs], [0]), dims);
}

function productOf(output: string, byOutput: ReadonlyMap<string, Product>): Product {
  const product = byOutput.get(output);
  if (product) return product;
  throw new WhenceError('internal', `No product makes the value ${output}, which a site is of.`);
}
