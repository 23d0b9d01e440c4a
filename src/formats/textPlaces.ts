/** Where a part of joined texts is in its file. */
export interface FilePlace {
  /** From 1. */
  readonly line: number;
  /** [start, end) in UTF-8. */
  readonly bytes: readonly [number, number];
}

const encoder = new TextEncoder();

/**
 * Lines and bytes of parts of joined texts, in one pass over them.
 * @param parts [from, to) in UTF-16 units of all texts; they may overlap, since the tokens of one character share it
 * @param lineOf the line on which a text begins
 */
export async function filePlaces(
  parts: readonly (readonly [number, number])[],
  texts: AsyncIterable<string>,
  lineOf: (text: number) => number,
): Promise<FilePlace[]> {
  const wanted = [...new Set(parts.flat())].sort((a, b) => a - b);
  const found: { line: number; byte: number }[] = [];
  let index = 0;
  let unit = 0;
  let byte = 0;
  for await (const text of texts) {
    let line = lineOf(index++);
    let done = 0;
    while (found.length < wanted.length && wanted[found.length]! < unit + text.length) {
      const at = wanted[found.length]! - unit;
      const passed = text.slice(done, at);
      byte += encoder.encode(passed).length;
      line += passed.split('\n').length - 1;
      done = at;
      found.push({ line, byte });
    }
    byte += encoder.encode(text.slice(done)).length;
    unit += text.length;
  }
  while (found.length < wanted.length) found.push({ line: found.at(-1)?.line ?? 1, byte });
  const places = new Map(wanted.map((own, at) => [own, found[at]!]));
  return parts.map(([from, to]) => ({
    line: places.get(from)!.line,
    bytes: [places.get(from)!.byte, places.get(to)!.byte],
  }));
}
