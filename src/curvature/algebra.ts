import { encodeModel } from '../onnx/encode';
import type { Model, Node, ValueInfo } from '../onnx/graph';
import type { Runtime, Session, Tensor } from '../onnx/runtime';

/** A row-major float32 array with its dimensions. */
export interface Matrix {
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

/** A matrix with rows and columns swapped. */
export function transposed({ dims, values }: Matrix): Matrix {
  const [rows, columns] = dims as [number, number];
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  }
  return { dims: [columns, rows], values: result };
}

/**
 * The few products that happen outside a model's own graph, as small graphs of any shape: nothing that grows with data or
 * parameters is multiplied in JavaScript.
 */
export class Algebra {
  private constructor(
    private readonly products: Session,
    private readonly projections: Session,
    private readonly scorers: Session,
    private readonly lowRankScorers: Session,
    private readonly selfScorers: Session,
  ) {}

  static async open(runtime: Runtime): Promise<Algebra> {
    const open = (model: Model) => runtime.createSession(encodeModel(model));
    return new Algebra(
      await open(product()),
      await open(projection()),
      await open(scorer()),
      await open(lowRankScorer()),
      await open(selfScorer()),
    );
  }

  /** `a b`, batched with broadcasting as MatMul does. */
  async multiply(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.run(this.products, { a, b });
  }

  /** `x Vᵀ` for rows x [n, k] and a basis V [m, k] of rows. */
  async project(x: Matrix, basis: Matrix): Promise<Matrix> {
    return this.run(this.projections, { x, basis });
  }

  /**
   * `<W_q, d_i a_iᵀ>` [n, Q] for queries W [Q, outputs, inputs], activations a [n, inputs] and gradients d [n, outputs].
   * The product runs over the inputs and the reduction over the outputs.
   */
  async score(queries: Matrix, activations: Matrix, gradients: Matrix): Promise<Float32Array> {
    const [count, outputs, inputs] = queries.dims as [number, number, number];
    const rows = activations.dims[0]!;
    const result = await this.run(
      this.scorers,
      {
        queries: { dims: [count * outputs, inputs], values: queries.values },
        activations,
        gradients: { dims: [rows, outputs, 1], values: gradients.values },
      },
      { shape: shapeTensor([rows, count, outputs]) },
    );
    return result.values;
  }

  /**
   * `<Σ_j l_qj r_qjᵀ, d_i a_iᵀ>` [n, Q] for queries as sums of `rank` outer products: left [Q · rank, outputs] and right
   * [Q · rank, inputs].
   */
  async scoreLowRank(
    { left, right, rank }: { readonly left: Matrix; readonly right: Matrix; readonly rank: number },
    activations: Matrix,
    gradients: Matrix,
  ): Promise<Float32Array> {
    const shape = shapeTensor([activations.dims[0]!, left.dims[0]! / rank, rank]);
    return (await this.run(this.lowRankScorers, { left, right, activations, gradients }, { shape })).values;
  }

  /** `d_iᵀ² F a_i²` [n] for a matrix function's eigenvalues F [outputs, inputs]: the form `gᵀ F(H) g` of rank-one g. */
  async selfScore(responses: Matrix, activations: Matrix, gradients: Matrix): Promise<Float32Array> {
    return (await this.run(this.selfScorers, { responses, activations, gradients })).values;
  }

  private async run(
    session: Session,
    feeds: Record<string, Matrix>,
    more: Record<string, Tensor> = {},
  ): Promise<Matrix> {
    const tensors: Record<string, Tensor> = { ...more };
    for (const [name, matrix] of Object.entries(feeds)) {
      tensors[name] = { dtype: 'float32', dims: matrix.dims, data: matrix.values };
    }
    const { y } = await session.run(tensors);
    return { dims: y!.dims, values: y!.data as Float32Array };
  }
}

function shapeTensor(dims: readonly number[]): Tensor {
  return { dtype: 'int64', dims: [dims.length], data: BigInt64Array.from(dims, BigInt) };
}

function product(): Model {
  return graph('product', [anyRank('a'), anyRank('b')], [node('MatMul', ['a', 'b'], 'y')], anyRank('y'));
}

function projection(): Model {
  const gemm = node('Gemm', ['x', 'basis'], 'y', { transB: 1 });
  return graph('projection', [matrix('x', 'n', 'k'), matrix('basis', 'm', 'k')], [gemm], matrix('y', 'n', 'm'));
}

function scorer(): Model {
  const inputs = [matrix('queries', 'rows', 'inputs'), matrix('activations', 'n', 'inputs'), anyRank('gradients')];
  const shape: ValueInfo = { name: 'shape', dtype: 'int64', dims: [3] };
  const nodes = [
    node('Gemm', ['activations', 'queries'], 'flat', { transB: 1 }),
    node('Reshape', ['flat', 'shape'], 'full'),
    node('MatMul', ['full', 'gradients'], 'y'),
  ];
  return graph('scorer', [...inputs, shape], nodes, anyRank('y'));
}

function lowRankScorer(): Model {
  const inputs = [
    matrix('left', 'rows', 'outputs'),
    matrix('right', 'rows', 'inputs'),
    matrix('activations', 'n', 'inputs'),
    matrix('gradients', 'n', 'outputs'),
  ];
  const shape: ValueInfo = { name: 'shape', dtype: 'int64', dims: [3] };
  const nodes = [
    node('Gemm', ['activations', 'right'], 'a', { transB: 1 }),
    node('Gemm', ['gradients', 'left'], 'd', { transB: 1 }),
    node('Mul', ['a', 'd'], 'terms'),
    node('Reshape', ['terms', 'shape'], 'full'),
    node('ReduceSum', ['full', 'axis'], 'y', { keepdims: 0 }),
  ];
  return withAxis(graph('low-rank-scorer', [...inputs, shape], nodes, anyRank('y')), 2);
}

function selfScorer(): Model {
  const inputs = [
    matrix('responses', 'outputs', 'inputs'),
    matrix('activations', 'n', 'inputs'),
    matrix('gradients', 'n', 'outputs'),
  ];
  const nodes = [
    node('Mul', ['gradients', 'gradients'], 'd2'),
    node('Mul', ['activations', 'activations'], 'a2'),
    node('Gemm', ['d2', 'responses'], 'spread'),
    node('Mul', ['spread', 'a2'], 'terms'),
    node('ReduceSum', ['terms', 'axis'], 'y', { keepdims: 0 }),
  ];
  return withAxis(graph('self-scorer', inputs, nodes, anyRank('y')), 1);
}

/** The axis that a reduction of opset 17 takes as an input. */
function withAxis(model: Model, value: number): Model {
  const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
  const axis = { name: 'axis', dtype: 'int64', dims: [1], bytes } as const;
  return { ...model, graph: { ...model.graph, initializers: new Map([['axis', axis]]) } };
}

function graph(name: string, inputs: readonly ValueInfo[], nodes: readonly Node[], output: ValueInfo): Model {
  return {
    file: '',
    irVersion: 8,
    producer: 'whence',
    opsets: new Map([['', 17]]),
    graph: { name, inputs, outputs: [output], initializers: new Map(), nodes },
  };
}

function node(
  op: string,
  inputs: readonly string[],
  output: string,
  ints: Readonly<Record<string, number>> = {},
): Node {
  const attributes = Object.fromEntries(
    Object.entries(ints).map(([name, value]) => [name, { kind: 'int' as const, value }]),
  );
  return { name: output, op, domain: '', inputs, outputs: [output], attributes };
}

function matrix(name: string, rows: string, columns: string): ValueInfo {
  return { name, dtype: 'float32', dims: [rows, columns] };
}

function anyRank(name: string): ValueInfo {
  return { name, dtype: 'float32', dims: null };
}
