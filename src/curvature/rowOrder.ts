import { encodeModel } from '../onnx/encode';
import type { Model } from '../onnx/graph';
import type { Feeds, Runtime, Tensor } from '../onnx/runtime';
import { numbersOf } from '../onnx/tensor';
import type { SiteSearch } from './site';

/** How the rows of an activation follow one another: all of the first example, or the first position of every example. */
export type RowOrder = 'example-major' | 'position-major' | 'mixed';

/** A value of a graph whose leading axes are `rows`. */
export interface Rows {
  readonly name: string;
  readonly rows: number;
}

/**
 * Finds by experiment which rows belong to which example: all of the first batch are copies of one example, and only
 * example `changed` differs in the second, so that the rows which differ are its own. A value whose other rows move too
 * mixes examples, and so does one whose rows are no copies: no input reaches it. Absent from the answer is what fits both
 * orders: one row an example, or equal rows.
 *
 * @param feeds all examples the same, then `changed` another
 * @param batch how many examples both feeds hold
 */
export async function probeRowOrders(
  model: Model,
  runtime: Runtime,
  feeds: readonly [Feeds, Feeds],
  { batch, changed }: { readonly batch: number; readonly changed: number },
  values: readonly Rows[],
): Promise<ReadonlyMap<string, RowOrder>> {
  const orders = new Map<string, RowOrder>();
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  for (const { name } of values) if (inputs.has(name)) orders.set(name, 'example-major');
  const asked = [...new Map(values.map((value) => [value.name, value])).values()].filter(
    ({ name }) => !orders.has(name),
  );
  if (asked.length === 0 || batch < 2) return orders;
  const fetches = asked.map(({ name }) => name);
  const session = await runtime.createSession(encodeModel(model, fetches), { cpu: true });
  try {
    const runs: Record<string, Tensor>[] = [];
    for (const one of feeds) {
      const known = Object.entries(one).filter(([name]) => inputs.has(name));
      runs.push(await session.run(Object.fromEntries(known), fetches));
    }
    for (const { name, rows } of asked) {
      const [one, other] = [runs[0]![name]!, runs[1]![name]!];
      const order = orderOf(differing(one, other, rows), numbersOf(one), rows, batch, changed);
      if (order) orders.set(name, order);
    }
    return orders;
  } finally {
    await session.release();
  }
}

/**
 * How many rows of a value belong to each example, undefined where they are no multiple of the batch, and their order: as probed, or
 * else as dimensions tell.
 */
export function rowsOf(
  { model, types, batch, rowOrders }: SiteSearch,
  { name, rows }: Rows,
): { readonly positions: number | undefined; readonly order: RowOrder } {
  const { dims } = types.get(name)!;
  const positions = rows % batch === 0 ? rows / batch : undefined;
  const probed = rowOrders?.get(name);
  if (probed) return { positions, order: probed };
  if (batch === 1 || rows === batch || dims[0] === batch) return { positions, order: 'example-major' };
  const maker = model.graph.nodes.find(({ outputs }) => outputs.includes(name));
  const before = maker?.op === 'Reshape' ? types.get(maker.inputs[0]!)?.dims : undefined;
  const folded = dims.length === 2 && before?.[0] === batch && before.at(-1) === dims[1];
  return { positions, order: folded ? 'example-major' : 'mixed' };
}

function differing({ data: a }: Tensor, { data: b }: Tensor, rows: number): readonly number[] {
  const width = a.length / rows;
  return Array.from({ length: rows }, (_, row) => row).filter((row) => {
    for (let at = row * width; at < (row + 1) * width; at++) if (!Object.is(a[at], b[at])) return true;
    return false;
  });
}

function orderOf(
  changed: readonly number[],
  values: readonly number[],
  rows: number,
  batch: number,
  example: number,
): RowOrder | undefined {
  if (rows % batch !== 0) return 'mixed';
  const each = rows / batch;
  // What the changed example leaves open, the others tell: they are copies of one another.
  const alike = (rowOf: (example: number, position: number) => number) => areCopies(values, rows, batch, rowOf);
  const first =
    changed.every((row) => Math.floor(row / each) === example) && alike((index, position) => index * each + position);
  const last = changed.every((row) => row % batch === example) && alike((index, position) => position * batch + index);
  if (first && last) return undefined;
  if (first) return 'example-major';
  return last ? 'position-major' : 'mixed';
}

/** Whether all examples have the same rows, up to rounding: kernels may round rows by where they lie. */
function areCopies(
  values: readonly number[],
  rows: number,
  batch: number,
  rowOf: (example: number, position: number) => number,
): boolean {
  const width = values.length / rows;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let example = 1; example < batch; example++) {
    for (let position = 0; position < rows / batch; position++) {
      const [own, first] = [rowOf(example, position) * width, rowOf(0, position) * width];
      for (let at = 0; at < width; at++) {
        if (Math.abs(values[own + at]! - values[first + at]!) > 1e-3 * largest) return false;
      }
    }
  }
  return true;
}
