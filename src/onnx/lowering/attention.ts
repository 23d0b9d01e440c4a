import { floatOf, intOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { range } from '../dims';
import type { Lowering, Lowerings } from './lowering';

/** [batch, positions, heads * size] as [batch, heads, positions, size]; what has four axes is that already. */
function byHead(b: GraphBuilder, value: string, heads: number): string {
  const dims = b.dims(value);
  if (dims.length === 4) return value;
  const [batch, positions, width] = dims as [number, number, number];
  return b.transpose(b.reshape(value, [batch, positions, heads, width / heads]), [0, 2, 1, 3]);
}

/** Each head of keys or values repeated for the queries that share it. */
function repeated(b: GraphBuilder, value: string, heads: number): string {
  const [batch, own, positions, size] = b.dims(value) as [number, number, number, number];
  const spread = b.expand(b.unsqueeze(value, [2]), [batch, own, heads / own, positions, size]);
  return b.reshape(spread, [batch, heads, positions, size]);
}

/** True where a query may see a key: those up to its own position. bool [queries, keys] */
function causalMask(b: GraphBuilder, queries: number, keys: number, before: number): string {
  const rows = b.constant(
    range(queries).map((row) => row + before),
    [queries, 1],
    'int64',
  );
  return b.greaterOrEqual(rows, b.constant(range(keys), [1, keys], 'int64'));
}

/** ONNX's Attention of opset 23: softmax(cap(scale Q K') + mask) V, heads of keys shared by queries. */
const attentionNode: Lowering = (b, node) => {
  const [query, key, value, mask, pastKey, pastValue] = node.inputs as [string, string, string, ...string[]];
  if (node.inputs[6] || node.outputs[3]) return null;
  const q = byHead(b, query, intOf(node, 'q_num_heads', 1));
  const join = (past: string | undefined, now: string): string => (past ? b.concat([past, now], 2) : now);
  const k = join(pastKey, byHead(b, key, intOf(node, 'kv_num_heads', 1)));
  const v = join(pastValue, byHead(b, value, intOf(node, 'kv_num_heads', 1)));
  const [batch, heads, queries, size] = b.dims(q) as [number, number, number, number];
  const keys = b.dims(k)[2]!;

  const scale = floatOf(node, 'scale', 0) || 1 / Math.sqrt(size);
  let scores = b.scale(b.matmul(q, b.transposeLast(repeated(b, k, heads))), scale);
  const cap = floatOf(node, 'softcap', 0);
  if (cap > 0) scores = b.scale(b.emit('Tanh', [b.scale(scores, 1 / cap)], b.typeOf(scores)), cap);
  const lowest = b.scalar(Number.NEGATIVE_INFINITY, scores);
  if (intOf(node, 'is_causal', 0) === 1) {
    scores = b.where(causalMask(b, queries, keys, keys - b.dims(key).at(-2)!), scores, lowest);
  }
  if (mask) scores = b.dtype(mask) === 'bool' ? b.where(mask, scores, lowest) : b.add(scores, mask);
  const mixed = b.matmul(b.softmax(scores), repeated(b, v, heads));
  const flat = (): string =>
    b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [batch, queries, heads * b.dims(mixed).at(-1)!]);
  return [b.dims(query).length === 4 ? mixed : flat(), k, v];
};

export const attention: Lowerings = { Attention: attentionNode };
