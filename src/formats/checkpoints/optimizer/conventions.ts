/**
 * Orders in which libraries define the parts of a module. They only decide between parts that shapes do not tell apart.
 * Projections called q, k, v beside an `out_proj` are left out on purpose: some models define k first, some q.
 */
const orders: readonly (readonly string[])[] = [
  ['weight', 'bias'],
  ['gamma', 'beta'],
  ['in_proj_weight', 'in_proj_bias'],
  ['query', 'key', 'value'],
  ['q', 'k', 'v', 'o'],
  ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
  ['q_lin', 'k_lin', 'v_lin', 'out_lin'],
  ['gate_proj', 'up_proj', 'down_proj'],
  ['c_attn', 'c_proj'],
  ['c_fc', 'c_proj'],
  ['self', 'output'],
  ['attention', 'crossattention', 'intermediate', 'output'],
  ['dense', 'LayerNorm'],
  ['embeddings', 'encoder', 'pooler'],
  ['embeddings', 'transformer'],
  ['wte', 'wpe', 'h', 'ln_f'],
  ['embed_tokens', 'layers', 'norm'],
  ['embed_in', 'layers', 'final_layer_norm'],
  ['embeddings', 'layers', 'layernorm'],
  ['layers', 'final_layernorm'],
  ['layernorm_before', 'layernorm_after'],
  ['q_norm', 'k_norm'],
  ['q_proj', 'k_proj', 'v_proj', 'dense'],
  ['input_layernorm', 'post_attention_layernorm'],
  ['attention', 'sa_layer_norm', 'ffn', 'output_layer_norm'],
  ['ln_1', 'attn', 'ln_2', 'mlp'],
  ['self_attn', 'mlp', 'input_layernorm'],
];

/** The parts of a model that its head comes after. */
const bodies = /^(bert|roberta|distilbert|electra|transformer|model|base_model|gpt_neox|backbone|encoder|body|vit)$/;
const heads = /^(pre_classifier|classifier|score|lm_head|head|cls|qa_outputs|fc)$/;

const recurrent = /^(weight|bias)_(ih|hh)_l(\d+)(_reverse)?$/;

/** Whether one sibling is defined before the other wherever both are there. */
export function precedes(first: string, second: string): boolean {
  if (orders.some((order) => isBefore(order, first, second))) return true;
  if (bodies.test(first) && heads.test(second)) return true;
  if (first === 'pre_classifier' && second === 'classifier') return true;
  const [one, other] = [recurrent.exec(first), recurrent.exec(second)];
  if (one && other) return rankOf(one) < rankOf(other);
  // Parts that are numbered: `0` before `10`, `fc1` before `fc2`.
  const [a, b] = [/^(\D*)(\d+)$/.exec(first), /^(\D*)(\d+)$/.exec(second)];
  return a !== null && b !== null && a[1] === b[1] && Number(a[2]) < Number(b[2]);
}

function isBefore(order: readonly string[], first: string, second: string): boolean {
  const [a, b] = [order.indexOf(first), order.indexOf(second)];
  return a >= 0 && b >= 0 && a < b;
}

/** By layer, then direction, then weight before bias, then input before state. */
function rankOf([, kind, side, layer, reverse]: RegExpExecArray): number {
  return Number(layer) * 8 + (reverse ? 4 : 0) + (kind === 'bias' ? 2 : 0) + (side === 'hh' ? 1 : 0);
}
