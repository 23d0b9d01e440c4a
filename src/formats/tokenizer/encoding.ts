/** A text as a model reads it. */
export interface Encoding {
  readonly ids: readonly number[];
  /** For each token the [start, end) in UTF-16 units of the text; [0, 0] for tokens that stand for none of it. */
  readonly spans: readonly (readonly [number, number])[];
  /** What BERT calls segments: 0 but where a template says otherwise. */
  readonly types: readonly number[];
}

/** The first or the last `most` tokens. */
export function truncated(encoding: Encoding, most: number, side: 'left' | 'right'): Encoding {
  const { ids, spans, types } = encoding;
  if (ids.length <= most) return encoding;
  const [from, to] = side === 'right' ? [0, most] : [ids.length - most, ids.length];
  return { ids: ids.slice(from, to), spans: spans.slice(from, to), types: types.slice(from, to) };
}

export function joined(parts: readonly Encoding[]): Encoding {
  return {
    ids: parts.flatMap(({ ids }) => ids),
    spans: parts.flatMap(({ spans }) => spans),
    types: parts.flatMap(({ types }) => types),
  };
}

/** Tokens that stand for no text. */
export function tokensOf(ids: readonly number[], type: number): Encoding {
  return { ids, spans: ids.map(() => [0, 0] as const), types: ids.map(() => type) };
}

export function withType(encoding: Encoding, type: number): Encoding {
  return { ...encoding, types: encoding.ids.map(() => type) };
}
