import { product, sameDims } from '../../onnx/dims';

/**
 * What gives an initializer its values, as an expression of a checkpoint's tensors. It names tensors and holds no values,
 * so that one expression serves every checkpoint of a run.
 */
export type Expression =
  | { readonly kind: 'tensor'; readonly name: string; readonly dims: readonly number[] }
  | { readonly kind: 'reshape'; readonly of: Expression; readonly dims: readonly number[] }
  | { readonly kind: 'transpose'; readonly of: Expression; readonly perm: readonly number[] }
  | {
      readonly kind: 'slice';
      readonly of: Expression;
      readonly axis: number;
      readonly start: number;
      readonly length: number;
    }
  /** Rows along the first axis in any order, each as often as it is named. */
  | { readonly kind: 'rows'; readonly of: Expression; readonly rows: readonly number[] }
  | { readonly kind: 'concat'; readonly of: readonly Expression[]; readonly axis: number }
  /** Equal blocks of rows in another order: block k of the result is block `order[k]`. ONNX and PyTorch order gates differently. */
  | { readonly kind: 'gates'; readonly of: Expression; readonly order: readonly number[] }
  /** A number added to every element: a norm that scales by 1 plus its weight. */
  | { readonly kind: 'shifted'; readonly of: Expression; readonly by: number }
  /** A weight times its normalisation's scale, along the axis of output channels (of each of `groups`, where inputs come first). */
  | {
      readonly kind: 'folded-weight';
      readonly of: Expression;
      readonly axis: number;
      readonly groups: number;
      readonly normalization: Normalization;
    }
  /** `(b - mean) · scale + shift`; b is 0 where the layer has no bias of its own. */
  | { readonly kind: 'folded-bias'; readonly of: Expression | undefined; readonly normalization: Normalization };

/** A batch normalisation in inference form by the names of its tensors: `scale = weight / √(variance + epsilon)`. */
export interface Normalization {
  /** Name of the module, for messages. */
  readonly name: string;
  /** Absent where it has no affine parameters: 1 and 0. */
  readonly weight?: string;
  readonly bias?: string;
  readonly mean: string;
  readonly variance: string;
  readonly channels: number;
  readonly epsilon: number;
}

/** Which checkpoint tensors, through which operations, fill an initializer. */
export interface Binding {
  readonly initializer: string;
  readonly value: Expression;
}

export function tensor(name: string, dims: readonly number[]): Expression {
  return { kind: 'tensor', name, dims };
}

/** `of` in the shape `dims`; itself where it has that shape. */
export function reshape(of: Expression, dims: readonly number[]): Expression {
  return sameDims(dimsOf(of), dims) ? of : { kind: 'reshape', of, dims };
}

/** A matrix with rows and columns swapped; of higher rank as [first, rest]. */
export function swap(of: Expression): Expression {
  const [rows, ...rest] = dimsOf(of);
  return { kind: 'transpose', of: reshape(of, [rows!, product(rest)]), perm: [1, 0] };
}

/** `of` one after another along the first axis; the only one itself. */
export function stack(of: readonly Expression[]): Expression {
  return of.length === 1 ? of[0]! : { kind: 'concat', of, axis: 0 };
}

/** Blocks of rows in `order`; itself where that is the order already. */
export function gates(of: Expression, order: readonly number[]): Expression {
  return order.every((from, to) => from === to) ? of : { kind: 'gates', of, order };
}

export function dimsOf(expression: Expression): readonly number[] {
  switch (expression.kind) {
    case 'tensor':
    case 'reshape':
      return expression.dims;
    case 'transpose': {
      const dims = dimsOf(expression.of);
      return expression.perm.map((axis) => dims[axis]!);
    }
    case 'slice':
      return dimsOf(expression.of).map((dim, axis) => (axis === expression.axis ? expression.length : dim));
    case 'rows':
      return [expression.rows.length, ...dimsOf(expression.of).slice(1)];
    case 'concat': {
      const parts = expression.of.map(dimsOf);
      const total = parts.reduce((sum, dims) => sum + dims[expression.axis]!, 0);
      return parts[0]!.map((dim, axis) => (axis === expression.axis ? total : dim));
    }
    case 'gates':
    case 'shifted':
    case 'folded-weight':
      return dimsOf(expression.of);
    case 'folded-bias':
      return [expression.normalization.channels];
  }
}

/**
 * How an expression moves the elements of its layer's tensors about, without the numbers that it multiplies or adds; undefined
 * where there is no such tensor.
 */
export function arrangement(expression: Expression): Expression | undefined {
  switch (expression.kind) {
    case 'tensor':
      return expression;
    case 'shifted':
    case 'folded-weight':
    case 'folded-bias':
      return expression.of && arrangement(expression.of);
    case 'concat': {
      const parts = expression.of.flatMap((part) => arrangement(part) ?? []);
      return parts.length === expression.of.length ? { ...expression, of: parts } : undefined;
    }
    default: {
      const of = arrangement(expression.of);
      return of && { ...expression, of };
    }
  }
}

/** Names of the tensors that an expression reads, each once: the layer's own first, in the order of the expression. */
export function tensorsOf(expression: Expression): readonly string[] {
  return [...new Set([...layerTensorsOf(expression), ...normalizationTensorsOf(expression)])];
}

/** The tensors whose gradient is the initializer's gradient rearranged and scaled: all but those of a folded normalisation. */
export function layerTensorsOf(expression: Expression): readonly string[] {
  if (expression.kind === 'tensor') return [expression.name];
  if (expression.kind === 'concat') return expression.of.flatMap(layerTensorsOf);
  return expression.of === undefined ? [] : layerTensorsOf(expression.of);
}

function normalizationTensorsOf(expression: Expression): readonly string[] {
  if (expression.kind !== 'folded-weight' && expression.kind !== 'folded-bias') return [];
  const { weight, bias, mean, variance } = expression.normalization;
  return [weight, bias, mean, variance].filter((name) => name !== undefined);
}

/** The expression in a few characters: `up.weightᵀ`, `wpe.weight[0:6]`, `c1.weight · b1`. */
export function describeExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'tensor':
      return expression.name;
    case 'reshape':
      return describeExpression(expression.of);
    case 'transpose':
      return expression.perm.length === 2
        ? `${describeExpression(expression.of)}ᵀ`
        : `${describeExpression(expression.of)}(${expression.perm.join()})`;
    case 'slice': {
      const before = ':,'.repeat(expression.axis);
      const range = `${expression.start}:${expression.start + expression.length}`;
      return `${describeExpression(expression.of)}[${before}${range}]`;
    }
    case 'rows':
      return `${describeExpression(expression.of)}[${rowsText(expression.rows)}]`;
    case 'concat':
      return `[${expression.of.map(describeExpression).join('; ')}]`;
    case 'gates':
      return `${describeExpression(expression.of)} by gates ${expression.order.join('')}`;
    case 'shifted':
      return `${describeExpression(expression.of)} + ${expression.by}`;
    case 'folded-weight':
      return `${describeExpression(expression.of)} · ${expression.normalization.name}`;
    case 'folded-bias':
      return `${expression.of ? describeExpression(expression.of) : '0'} · ${expression.normalization.name}`;
  }
}

function rowsText(rows: readonly number[]): string {
  return rows.length <= 6 ? rows.join() : `${rows.slice(0, 3).join()},… (${rows.length})`;
}
