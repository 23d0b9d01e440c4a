import { WhenceError } from '../protocol/errors';
import { product } from './dims';
import type { DType } from './dtype';
import { encodeModel } from './encode';
import type { Initializer, Model, Node, TensorType } from './graph';
import { growing, immense, inferTypes, longestShape, shapeNode, staticType, tensorOutputs } from './inference';
import { shapeOf, withShapes } from './knownShapes';
import type { Feeds, Runtime, Tensor } from './runtime';
import { withSlices } from './sequenceParts';
import { bytesOfType, checkLive, checkValue, immeasurable } from './sizes';
import { isFixed } from './staticValues';
import { bytesOf, numbersOf } from './tensor';
import { neededFor } from './topology';

/** Rounds times nodes: a graph whose every shape hangs on the value before would take minutes. */
const mostWork = 2_000_000;
/** Bytes of values that may be computed, in all rounds, only to know shapes. */
const mostComputed = 2 ** 33;

/**
 * Finds the static types of a graph's values. The runtime's shape inference goes first. Where it stops, a value decides a
 * shape: that value, a short one, is computed and inference goes on with it. What is open even then (how many elements are
 * not zero) is told by running the graph up to there. Nothing runs before the size of all that it computes is known and
 * checked, so a graph that would fill the memory is refused instead.
 */
export class TypeResolution {
  readonly types: Map<string, TensorType>;
  /** Short values that decide shapes. */
  private readonly values = new Map<string, Tensor>();
  /** Values whose shapes a run has told. */
  private readonly seen = new Set<string>();
  /** Of all values that are tensors. */
  private readonly dtypes = new Map<string, DType>();
  /** What Shape and Size nodes give, as far as it is known. */
  private readonly shapes = new Map<string, Tensor>();
  private computed = 0;

  /**
   * @param model every input has a static shape
   * @param feeds all of its inputs
   */
  constructor(
    private readonly model: Model,
    private readonly feeds: Feeds,
    private readonly runtime: Runtime,
  ) {
    const { inputs, initializers } = model.graph;
    this.types = new Map();
    for (const { name } of inputs) this.types.set(name, { dtype: feeds[name]!.dtype, dims: [...feeds[name]!.dims] });
    for (const { name, dtype, dims } of initializers.values()) this.types.set(name, { dtype, dims });
  }

  /** @throws WhenceError `out-of-memory` for values beyond any memory */
  async run(): Promise<void> {
    const { nodes } = this.model.graph;
    for (let work = nodes.length; ; work += nodes.length) {
      await this.infer();
      const open = this.frontier();
      if (open.length === 0) break;
      if (work > mostWork) throw this.tooDeep(open[0]!);
      const deciding = [...new Set([...open.flatMap((node) => this.deciding(node)), ...this.ahead()])];
      const blind = open.filter((node) => this.deciding(node).length === 0);
      const unbounded = blind.find(({ op }) => growing.has(op));
      if (unbounded) throw immeasurable(unbounded, this.open(unbounded)[0]!, this.model.file);
      for (const [name, tensor] of Object.entries(await this.compute(deciding))) this.values.set(name, tensor);
      await this.look(blind.flatMap((node) => this.open(node)));
    }
    checkLive(this.model, this.types);
  }

  /** Some values, computed with nothing but what they need. */
  async compute(names: readonly string[]): Promise<Record<string, Tensor>> {
    const known: Record<string, Tensor> = {};
    for (const name of names) {
      const tensor = this.feeds[name] ?? this.shapes.get(name);
      if (tensor) known[name] = tensor;
    }
    const left = names.filter((name) => !known[name]);
    return { ...known, ...(await this.fetch(left, [])) };
  }

  /** Runs what some values need, of the model's nodes and more, with every shape that is known as a constant. */
  private async fetch(outputs: readonly string[], more: readonly Node[]): Promise<Record<string, Tensor>> {
    if (outputs.length === 0) return {};
    const { graph } = withShapes(this.model, this.types);
    const given = [...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()];
    const { nodes, values } = neededFor(outputs, [...graph.nodes, ...more], given);
    for (const node of nodes) for (const name of node.outputs) this.computed += bytesOfType(this.types.get(name));
    if (this.computed > mostComputed) throw this.tooDeep(nodes.at(-1)!);
    const inputs = graph.inputs.filter(({ name }) => values.has(name));
    const initializers = new Map([...graph.initializers].filter(([name]) => values.has(name)));
    const part = { ...this.model, graph: { ...graph, inputs, initializers, nodes, outputs: [] } };
    const session = await this.runtime.createSession(encodeModel(part, outputs), { cpu: true, optimize: false });
    try {
      return await session.run(Object.fromEntries(inputs.map(({ name }) => [name, this.feeds[name]!])), outputs);
    } finally {
      await session.release();
    }
  }

  private async infer(): Promise<void> {
    const model = withSlices(withShapes(this.withKnown(), this.types));
    const inferred = await inferTypes(model, this.runtime).catch(async (error: unknown) => {
      if (!(error instanceof WhenceError) || error.code !== 'out-of-memory') throw error;
      const node = await this.firstImmense(model.graph.nodes, model);
      throw immeasurable(node, node.outputs[0]!, model.file);
    });
    for (const node of this.model.graph.nodes) {
      const shape = shapeOf(node, this.types);
      if (!shape) continue;
      const { dtype, dims } = shape;
      this.types.set(node.outputs[0]!, { dtype, dims });
      this.shapes.set(node.outputs[0]!, shape);
    }
    const grown = new Map<string, Node>();
    for (const node of this.model.graph.nodes) {
      for (const name of tensorOutputs(node)) {
        const found = inferred.get(name);
        if (!found || this.types.has(name)) continue;
        this.dtypes.set(name, found.dtype);
        const type = staticType(found);
        if (!type) continue;
        checkValue(type, node, name, this.model.file);
        this.types.set(name, type);
        if (growing.has(node.op) || node.domain !== '') grown.set(name, node);
      }
    }
    const [name] = await immense(model, this.runtime, this.types, [...grown.keys()]);
    if (name !== undefined) throw immeasurable(grown.get(name)!, name, this.model.file);
  }

  /** The first node up to which inference meets a dimension that the runtime cannot tell; by halving. */
  private async firstImmense(nodes: readonly Node[], model: Model): Promise<Node> {
    let [sound, unsound] = [0, nodes.length];
    while (unsound - sound > 1) {
      const middle = Math.floor((sound + unsound) / 2);
      const part = { ...model, graph: { ...model.graph, nodes: nodes.slice(0, middle) } };
      const isSound = await inferTypes(part, this.runtime).then(
        () => true,
        () => false,
      );
      if (isSound) sound = middle;
      else unsound = middle;
    }
    return nodes[unsound - 1]!;
  }

  /** The graph with what is known by value or by shape in the place of its computation, wherever it is read. */
  private withKnown(): Model {
    const { graph } = this.model;
    const known = (name: string) => `whence/known/${name}`;
    const initializers = new Map(graph.initializers);
    for (const [name, tensor] of this.values) {
      const { dtype, dims } = tensor;
      initializers.set(known(name), { name: known(name), dtype, dims, bytes: bytesOf(tensor) } satisfies Initializer);
    }
    const seen = [...this.seen].map((name) => ({ name: known(name), ...this.types.get(name)! }));
    const isKnown = (name: string) => this.values.has(name) || this.seen.has(name);
    const nodes = graph.nodes.map((node) =>
      node.inputs.some(isKnown)
        ? { ...node, inputs: node.inputs.map((name) => (isKnown(name) ? known(name) : name)) }
        : node,
    );
    return { ...this.model, graph: { ...graph, inputs: [...graph.inputs, ...seen], initializers, nodes } };
  }

  /** Nodes with an output of open shape, all of whose inputs come from nodes without. */
  private frontier(): readonly Node[] {
    const behind = new Set<string>();
    const open: Node[] = [];
    for (const node of this.model.graph.nodes) {
      const reached = node.inputs.every((input) => !behind.has(input));
      const settled = this.open(node).length === 0;
      if (reached && settled) continue;
      if (reached) open.push(node);
      for (const name of node.outputs) if (!this.types.has(name)) behind.add(name);
    }
    return open;
  }

  /** Outputs of a node whose shapes are open. */
  private open(node: Node): readonly string[] {
    return node.outputs.filter((name) => this.dtypes.has(name) && !this.types.has(name));
  }

  /** Short inputs of a node that may decide its outputs' shapes and have not been computed yet. */
  private deciding(node: Node): readonly string[] {
    return node.inputs.filter((name) => {
      const type = this.types.get(name);
      const short = type && product(type.dims) <= longestShape;
      return (
        short &&
        type.dtype !== 'string' &&
        !this.values.has(name) &&
        !this.shapes.has(name) &&
        !this.model.graph.initializers.has(name)
      );
    });
  }

  /** Short values behind the frontier that decide shapes there and can be computed already: of constants and known shapes. */
  private ahead(): readonly string[] {
    const fixed = new Set([...this.model.graph.initializers.keys(), ...this.shapes.keys(), ...this.values.keys()]);
    const seen = new Set(fixed);
    const wanted: string[] = [];
    for (const node of this.model.graph.nodes) {
      if (this.open(node).length > 0) wanted.push(...node.inputs.filter((name) => fixed.has(name) && !seen.has(name)));
      const isShort = node.outputs.every((name) => product(this.types.get(name)?.dims ?? [Infinity]) <= longestShape);
      if (!isShort || !isFixed(node, fixed)) continue;
      for (const name of node.outputs) {
        fixed.add(name);
        // Inference sees for itself what a Constant node holds.
        if (node.op === 'Constant') seen.add(name);
      }
    }
    return wanted;
  }

  private async look(names: readonly string[]): Promise<void> {
    const nodes = names.map((name, index) => shapeNode(name, `whence/shape/${index}`));
    const shapes = await this.fetch(
      nodes.flatMap(({ outputs }) => outputs),
      nodes,
    );
    for (const [index, name] of names.entries()) {
      const type = { dtype: this.dtypes.get(name)!, dims: numbersOf(shapes[`whence/shape/${index}`]!) };
      this.types.set(name, type);
      this.seen.add(name);
    }
  }

  private tooDeep(node: Node): WhenceError {
    const { file } = this.model;
    return new WhenceError(
      'unsupported-op',
      `The shapes of the graph hang on too many of its values, from node ${node.name} (${node.op}) on.`,
      {
        file,
        place: `node ${node.name}`,
        mend: 'Export the model with fixed shapes except for the batch.',
      },
    );
  }
}
