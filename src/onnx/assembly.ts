import { WhenceError } from '../protocol/errors';
import { constantNode, constantTensor } from './constant';
import { product } from './dims';
import type { DType } from './dtype';
import type { Attribute, Initializer, Model, Node, TensorType } from './graph';
import type { TensorData } from './runtime';
import type { ProbedType } from './shape';
import { bytesOf, initializerTensor, numbersOf } from './tensor';
import { neededFor } from './topology';
import { emittedOpset, upgraded } from './upgrade';

export type Attributes = Readonly<Record<string, Attribute>>;

/** A graph under construction: its values' static types, its nodes in topological order, its outputs. */
export class GraphAssembly {
  /** Path of the model that it began with, for messages; may be empty. */
  readonly file: string;
  /** Version of ONNX's own operators that emitted nodes must obey. */
  readonly opset: number;
  readonly #model: Model;
  readonly #inputs = new Set<string>();
  readonly #outputs = new Map<string, TensorType>();
  readonly #initializers: Map<string, Initializer>;
  readonly #nodes: Node[];
  readonly #types: Map<string, TensorType>;
  readonly #producers = new Map<string, number>();
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, string>();
  readonly #probed = new Map<string, readonly number[]>();
  #count = 0;

  /**
   * @param types the static type of every value that will be built upon, as `probeTypes` finds them
   */
  constructor(model: Model, types: ReadonlyMap<string, ProbedType>) {
    this.file = model.file;
    this.#model = model;
    this.opset = emittedOpset(model);
    this.#initializers = new Map(model.graph.initializers);
    this.#nodes = model.graph.nodes.map((node) => upgraded(node, model));
    this.#types = new Map();
    for (const [name, { dtype, dims, constant }] of types) {
      this.#types.set(name, { dtype, dims });
      if (constant) this.#probed.set(name, constant);
    }
    for (const name of types.keys()) this.#names.add(name);
    for (const { name, dtype, dims } of model.graph.initializers.values()) {
      this.#names.add(name);
      if (!types.has(name)) this.#types.set(name, { dtype, dims });
    }
    for (const input of model.graph.inputs) {
      this.#inputs.add(input.name);
      this.#names.add(input.name);
    }
    this.#nodes.forEach((node, index) => {
      for (const output of node.outputs) {
        this.#names.add(output);
        this.#producers.set(output, index);
      }
    });
  }

  /** The nodes so far, in topological order; a later emission does not change what was returned. */
  get nodes(): readonly Node[] {
    return [...this.#nodes];
  }

  /** The static types of all values so far, with the elements of those integers that only shapes decide. */
  get types(): ReadonlyMap<string, ProbedType> {
    const known = [...this.#types].map(([name, type]): [string, ProbedType] => {
      const constant = this.#probed.get(name);
      return [name, constant ? { ...type, constant } : type];
    });
    return new Map(known);
  }

  /** The constants so far: the model's own, those emitted since, without those that became inputs. */
  get initializers(): ReadonlyMap<string, Initializer> {
    return new Map(this.#initializers);
  }

  has(value: string): boolean {
    return this.#types.has(value);
  }

  typeOf(value: string): TensorType {
    const type = this.#types.get(value);
    if (type) return type;
    throw new WhenceError('internal', `The type of the value ${value} is not known.`, {
      ...(this.file ? { file: this.file } : {}),
      place: `value ${value}`,
    });
  }

  dims(value: string): readonly number[] {
    return this.typeOf(value).dims;
  }

  dtype(value: string): DType {
    return this.typeOf(value).dtype;
  }

  /** The node that makes `value`; undefined for inputs and initializers. */
  producerOf(value: string): Node | undefined {
    const index = this.#producers.get(value);
    return index === undefined ? undefined : this.#nodes[index];
  }

  /**
   * The elements of a value that is constant: an initializer in memory, a Constant node, or integers that only shapes
   * decide; otherwise null.
   */
  constantOf(value: string): readonly number[] | null {
    const initializer = this.#initializers.get(value);
    if (initializer) {
      const tensor = initializerTensor(initializer);
      return tensor && numbersOf(tensor);
    }
    const node = this.producerOf(value);
    return node?.op === 'Constant' ? constantNode(node) : (this.#probed.get(value) ?? null);
  }

  /** Adds a graph input of a static shape. */
  input(name: string, type: TensorType): string {
    this.#claim(name);
    this.#inputs.add(name);
    this.#types.set(name, type);
    return name;
  }

  /** Turns an initializer into a graph input, so that one session serves every checkpoint. */
  weightInput(initializer: string): void {
    if (this.#inputs.has(initializer)) return;
    if (!this.#initializers.delete(initializer)) {
      throw new WhenceError('bad-argument', `The graph has no weight named ${initializer}.`, {
        ...(this.file ? { file: this.file } : {}),
        place: `tensor ${initializer}`,
      });
    }
    this.#inputs.add(initializer);
  }

  /** Names `value` as an output of the built graph. The model's own outputs are outputs only where named here. */
  output(name: string, value: string): void {
    if (this.#outputs.has(name)) {
      throw new WhenceError('bad-argument', `The graph already has an output named ${name}.`, {
        place: `value ${name}`,
      });
    }
    const type = this.typeOf(value);
    if (name !== value) {
      this.#claim(name);
      this.#append({ name, op: 'Identity', domain: '', inputs: [value], outputs: [name], attributes: {} }, [type]);
    }
    this.#outputs.set(name, type);
  }

  /** A constant of the graph. Plain numbers are float32 unless `dtype` says otherwise; `dims` is `[length]` or `[]` by default. */
  constant(values: number | readonly number[] | TensorData, dims?: readonly number[], dtype?: DType): string {
    const tensor = constantTensor(values, dims, dtype);
    const key = product(tensor.dims) <= 16 ? `${tensor.dtype}[${tensor.dims}]${[...tensor.data]}` : null;
    const known = key === null ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#fresh('constant');
    this.#initializers.set(name, { name, dtype: tensor.dtype, dims: tensor.dims, bytes: bytesOf(tensor) });
    this.#types.set(name, { dtype: tensor.dtype, dims: tensor.dims });
    if (key !== null) this.#constants.set(key, name);
    return name;
  }

  /** Appends one node with one output of the given type. */
  emit(op: string, inputs: readonly string[], type: TensorType, attributes: Attributes = {}): string {
    return this.emitMany(op, inputs, [type], attributes)[0]!;
  }

  emitMany(
    op: string,
    inputs: readonly string[],
    types: readonly TensorType[],
    attributes: Attributes = {},
  ): readonly string[] {
    const name = this.#fresh(op);
    const outputs = types.map((_, index) => (index === 0 ? name : this.#fresh(op)));
    this.#append({ name, op, domain: '', inputs, outputs, attributes }, types);
    return outputs;
  }

  /** Appends a node of the model itself, whose outputs' types are known where they are tensors. */
  place(node: Node): void {
    const index = this.#nodes.push(upgraded(node, this.#model)) - 1;
    for (const output of node.outputs) if (output !== '') this.#producers.set(output, index);
  }

  /** The output at `position` of the node that makes `value`; added to the node where the model does without it. */
  siblingOutput(value: string, position: number, type: TensorType): string {
    const index = this.#producers.get(value);
    const node = index === undefined ? undefined : this.#nodes[index];
    if (index === undefined || !node) throw new WhenceError('internal', `No node makes the value ${value}.`);
    const present = node.outputs[position];
    if (present) return present;
    const name = this.#fresh(node.op);
    const outputs = Array.from({ length: Math.max(position + 1, node.outputs.length) }, (_, at) =>
      at === position ? name : (node.outputs[at] ?? ''),
    );
    this.#nodes[index] = { ...node, outputs };
    this.#producers.set(name, index);
    this.#types.set(name, type);
    return name;
  }

  /** The graph with the nodes, inputs and weights that its outputs need, and no others. */
  build(): Model {
    const given = [...this.#inputs, ...this.#initializers.keys()];
    const { nodes, values } = neededFor([...this.#outputs.keys()], this.#nodes, given);
    return {
      file: this.file,
      irVersion: this.#model.irVersion,
      producer: 'whence',
      opsets: new Map([...this.#model.opsets, ['', this.opset]]),
      graph: {
        name: this.#model.graph.name,
        inputs: [...this.#inputs].filter((name) => values.has(name)).map((name) => ({ name, ...this.typeOf(name) })),
        outputs: [...this.#outputs].map(([name, type]) => ({ name, ...type })),
        initializers: new Map([...this.#initializers].filter(([name]) => values.has(name))),
        nodes,
      },
    };
  }

  #append(node: Node, types: readonly TensorType[]): void {
    const index = this.#nodes.push(node) - 1;
    node.outputs.forEach((output, position) => {
      this.#producers.set(output, index);
      this.#types.set(output, types[position]!);
    });
  }

  #claim(name: string): void {
    if (this.#names.has(name)) {
      throw new WhenceError('bad-argument', `The graph already has a value named ${name}.`, { place: `value ${name}` });
    }
    this.#names.add(name);
  }

  #fresh(op: string): string {
    for (;;) {
      const name = `whence/${op}_${this.#count++}`;
      if (this.#names.has(name)) continue;
      this.#names.add(name);
      return name;
    }
  }
}
