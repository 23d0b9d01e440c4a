import type { Model, ValueInfo } from './graph';

/**
 * The model with some of its initializers as inputs instead: their values are fed at every run, so that one session serves
 * all checkpoints and no graph holds a copy of them.
 */
export function withInputs(model: Model, names: ReadonlySet<string>): Model {
  const { graph } = model;
  const opened: ValueInfo[] = [];
  for (const { name, dtype, dims } of graph.initializers.values())
    if (names.has(name)) opened.push({ name, dtype, dims });
  if (opened.length === 0) return model;
  const initializers = new Map([...graph.initializers].filter(([name]) => !names.has(name)));
  return { ...model, graph: { ...graph, inputs: [...graph.inputs, ...opened], initializers } };
}
