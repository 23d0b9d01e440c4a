import { products } from '../../src/curvature/uses';
import { apply } from '../../src/formats/binding/apply';
import type { Expression } from '../../src/formats/binding/expression';
import { GraphBuilder } from '../../src/onnx/builder';
import { product } from '../../src/onnx/dims';
import { encodeModel } from '../../src/onnx/encode';
import type { Feeds, Tensor } from '../../src/onnx/runtime';
import { createRuntime } from '../../src/worker/session';
import type { ExportedNetwork } from './goldenNetwork';

/** Of every element [outputs, inputs] of a site's gradient: the elements of checkpoint tensors that it is the gradient of. */
export type SiteElements = readonly (readonly { readonly tensor: string; readonly index: number }[])[];

/**
 * Finds by experiment which elements of the checkpoint a site's weight and bias are made of: the graph itself moves numbered
 * elements of one tensor at a time (and zeros of all others) to where its products read them.
 */
export async function siteElements(exported: ExportedNetwork): Promise<readonly SiteElements[]> {
  const { network, bindings, model, types, sites } = exported;
  const builder = new GraphBuilder(model, types);
  for (const { initializer } of bindings) builder.weightInput(initializer);
  const found = products(model.graph, types);
  const read = sites.flatMap(({ uses }, index) => {
    if (uses[0]!.map.kind === 'lookup' || uses[0]!.map.kind === 'normalization') return [];
    const own = uses.map((use) => found.find(({ output }) => output === use.output)!);
    // The bias of a trailing column is that of a use in which it is not 0.
    const biases = uses[0]!.trailing.map(
      (_, column) => own[uses.findIndex(({ trailing }) => trailing[column] !== 0)]!.bias,
    );
    return [{ ...own[0]!, biases, index }];
  });
  const tables = sites.flatMap(({ uses: [use] }, index) => (use?.map.kind === 'lookup' ? [{ ...use.map, index }] : []));
  const vectors = sites.flatMap(({ uses: [use] }, index) =>
    use?.map.kind === 'normalization' ? [{ names: [use.map.scale, use.map.shift].filter(Boolean), index }] : [],
  );
  const names = distinct([
    ...read.flatMap(({ weight, biases }) => [weight, ...biases]),
    ...tables.map(({ table }) => table),
    ...vectors.flatMap((own) => own.names),
  ]);
  // What is read as an input lies on the way of a node, so that it can be an output.
  const outputs = new Map(
    names.map((name) => [name, builder.reshape(builder.unsqueeze(name, [0]), types.get(name)!.dims)]),
  );
  for (const [name, value] of outputs) builder.output(`moved/${name}`, value);
  const session = await createRuntime('cpu', 1).createSession(encodeModel(builder.build()));
  const all: { tensor: string; index: number }[][][] = sites.map(({ inputs, outputs }) =>
    Array.from({ length: inputs * outputs }, () => []),
  );
  for (const tensor of network.checkpoint.keys()) {
    const feeds: Record<string, Tensor> = {};
    for (const { initializer, value } of bindings) {
      const { dims } = model.graph.initializers.get(initializer)!;
      feeds[initializer] = { dtype: 'float32', dims, data: await numbered(value, tensor, product(dims)) };
    }
    const moved = await session.run(known({ ...network.inputs, ...feeds }, session.inputs));
    read.forEach(({ node, weight, biases, maps, width, index }) => {
      const site = sites[index]!;
      const { map } = site.uses[0]!;
      const group = map.kind === 'convolution' ? map.group : 0;
      const channels = site.outputs * maps.length;
      const turned = node.op === 'MatMul' || (node.op === 'Gemm' && Number(intOf(node.attributes.transB)) === 0);
      const place = (value: number, at: number) => {
        if (value > 0) all[index]![at]!.push({ tensor, index: value - 1 });
      };
      const matrix = moved[`moved/${weight}`]!.data;
      for (let output = 0; output < site.outputs; output++) {
        const row = group * site.outputs + output;
        for (let input = 0; input < width; input++) {
          const at = turned ? input * channels + row : row * width + input;
          place(Number(matrix[at]), output * site.inputs + input);
        }
        biases.forEach((bias, column) => {
          place(Number(moved[`moved/${bias}`]!.data[row]), output * site.inputs + width + column);
        });
      }
    });
    const put = (index: number, value: number, at: number) => {
      if (value > 0) all[index]![at]!.push({ tensor, index: value - 1 });
    };
    for (const { table, index } of tables) {
      const { inputs, outputs } = sites[index]!;
      moved[`moved/${table}`]!.data.forEach((value: number | bigint, at: number) => {
        put(index, Number(value), (at % outputs) * inputs + Math.floor(at / outputs));
      });
    }
    for (const { names, index } of vectors) {
      const whole = names.flatMap((name) => Array.from(moved[`moved/${name}`]!.data, Number));
      whole.forEach((value, at) => {
        put(index, value, at);
      });
    }
  }
  await session.release();
  return all;
}

function intOf(attribute: { readonly kind: string; readonly value: unknown } | undefined): unknown {
  return attribute?.value ?? 0;
}

function known(feeds: Feeds, inputs: readonly string[]): Feeds {
  return Object.fromEntries(inputs.map((name) => [name, feeds[name]!]));
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

/** An initializer's elements as 1 + their place in `tensor`, 0 where they are not from there. */
async function numbered(value: Expression, tensor: string, count: number): Promise<Float32Array> {
  const bare = unfolded(value);
  if (bare === undefined) return new Float32Array(count);
  return apply(bare, async (name, dims) =>
    Float32Array.from({ length: product(dims) }, (_, index) => (name === tensor ? index + 1 : 0)),
  );
}

/** The expression as if no normalisation were folded in. */
function unfolded(value: Expression): Expression | undefined {
  if (value.kind === 'tensor') return value;
  if (value.kind === 'folded-bias' || value.kind === 'folded-weight') return value.of && unfolded(value.of);
  if (value.kind === 'concat') return { ...value, of: value.of.flatMap((part) => unfolded(part) ?? []) };
  const of = unfolded(value.of);
  return of && { ...value, of };
}
