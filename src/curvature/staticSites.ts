import type { Subject } from './subject';

/** Sites whose activation depends on no trained weight (a first layer's): it is the same at every checkpoint. */
export function staticSites({ model, sites, trained }: Subject): ReadonlySet<number> {
  const moving = new Set(trained);
  for (const node of model.graph.nodes) {
    if (node.inputs.some((input) => moving.has(input))) for (const output of node.outputs) moving.add(output);
  }
  return new Set(
    [...sites.keys()].filter((index) => sites[index]!.uses.every(({ activation }) => !moving.has(activation))),
  );
}
