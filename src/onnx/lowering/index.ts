import { GraphBuilder } from '../builder';
import type { Model, Node } from '../graph';
import type { ProbedType } from '../shape';
import { attention } from './attention';
import { branches } from './branch';
import { fourier } from './fourier';
import { fused } from './fused';
import { losses } from './losses';
import type { Lowering, Lowerings, Sequences } from './lowering';
import { normalization } from './normalization';
import { products } from './products';
import { quantization } from './quantization';
import { recurrent } from './recurrent';
import { sampling } from './sampling';
import { sequence } from './sequence';
import { windows } from './windows';

/** Ops that are written as simpler ones before a graph is differentiated; of other domains by `domain.op`. */
export const lowerings: Lowerings = {
  ...attention,
  ...branches,
  ...fourier,
  ...fused,
  ...losses,
  ...normalization,
  ...products,
  ...quantization,
  ...recurrent,
  ...sampling,
  ...sequence,
  ...windows,
};

/** A graph at one batch size. */
export interface TypedModel {
  readonly model: Model;
  /** The static type of every value. */
  readonly types: ReadonlyMap<string, ProbedType>;
}

/**
 * The same graph in ops that have gradient rules: recurrent layers step by step, attention as products and a Softmax,
 * what optimisers fused taken apart. Values keep their names. A graph without such ops is returned as it is.
 *
 * @param types as `probeTypes` finds them; the result's types cover the added values too
 */
export function lower({ model, types }: TypedModel): TypedModel {
  if (!model.graph.nodes.some((node) => loweringOf(node))) return { model, types };
  const builder = new GraphBuilder({ ...model, graph: { ...model.graph, nodes: [] } }, types);
  const sequences: Sequences = new Map();
  for (const node of model.graph.nodes) {
    const values = loweringOf(node)?.(builder, node, sequences) ?? null;
    if (values === null) builder.place(node);
    else alias(builder, node, values);
  }
  const { nodes, initializers, opset } = builder;
  return {
    model: {
      ...model,
      opsets: new Map([...model.opsets, ['', opset]]),
      graph: { ...model.graph, nodes, initializers },
    },
    types: builder.types,
  };
}

function loweringOf({ op, domain }: Node): Lowering | undefined {
  const name = domain === '' ? op : `${domain}.${op}`;
  return Object.hasOwn(lowerings, name) ? lowerings[name] : undefined;
}

function alias(builder: GraphBuilder, node: Node, values: readonly (string | null)[]): void {
  values.forEach((value, index) => {
    const output = node.outputs[index];
    if (value === null || !output) return;
    const name = index === 0 ? node.name : `${node.name}/${index}`;
    builder.place({ name, op: 'Identity', domain: '', inputs: [value], outputs: [output], attributes: {} });
  });
}
