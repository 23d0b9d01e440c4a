import { encodeModel } from '../onnx/encode';
import type { Model } from '../onnx/graph';
import type { Feeds, Runtime, Tensor } from '../onnx/runtime';

/** How the rows of an activation follow one another: all of the first example, or the first position of every example. */
export type RowOrder = 'example-major' | 'position-major' | 'mixed';

/** A value of a graph whose leading axes are `rows`. */
export interface Rows {
  readonly name: string;
  readonly rows: number;
}

/**
 * Finds by experiment which rows belong to which example: only example `changed` differs between the two batches, so
 * that the rows which differ are its own. A value whose other rows move too mixes examples. Absent from the answer is what
 * shows nothing: one row an example, or values that no input reaches.
 *
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
      const order = orderOf(differing(runs[0]![name]!, runs[1]![name]!, rows), rows, batch, changed);
      if (order) orders.set(name, order);
    }
    return orders;
  } finally {
    await session.release();
  }
}

function differing({ data: a }: Tensor, { data: b }: Tensor, rows: number): readonly number[] {
  const width = a.length / rows;
  return Array.from({ length: rows }, (_, row) => row).filter((row) => {
    for (let at = row * width; at < (row + 1) * width; at++) if (!Object.is(a[at], b[at])) return true;
    return false;
  });
}

function orderOf(changed: readonly number[], rows: number, batch: number, example: number): RowOrder | undefined {
  if (rows % batch !== 0) return 'mixed';
  const each = rows / batch;
  const first = changed.every((row) => Math.floor(row / each) === example);
  const last = changed.every((row) => row % batch === example);
  if (first && last) return undefined;
  if (first) return 'example-major';
  return last ? 'position-major' : 'mixed';
}
