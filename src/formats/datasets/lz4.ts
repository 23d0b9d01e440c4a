/**
 * The content of an LZ4 frame, whose blocks may refer to those before them, as Arrow's writers make it:
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md. Checksums are not compared.
 * @param length bytes that it unpacks to; other frames fail
 */
export function unpackLz4Frame(frame: Uint8Array, length: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 7 || view.getUint32(0, true) !== 0x184d2204) throw new Error('no LZ4 frame begins here');
  const flags = frame[4]!;
  const hasBlockChecksums = (flags & 0x10) !== 0;
  let at = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
  const output = new Uint8Array(length);
  let filled = 0;
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const bytes = size & 0x7fffffff;
    if (at + bytes > frame.length) throw new Error('an LZ4 block reaches beyond its frame');
    const block = frame.subarray(at, at + bytes);
    filled = size > 0x7fffffff ? append(block, output, filled) : unpackBlock(block, output, filled);
    at += bytes + (hasBlockChecksums ? 4 : 0);
  }
  if (filled !== length) throw new Error(`an LZ4 frame unpacks to ${filled} bytes, not to ${length}`);
  return output;
}

/** Sequences of literals and of what was there before: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md. */
function unpackBlock(block: Uint8Array, output: Uint8Array, start: number): number {
  let filled = start;
  let at = 0;
  const extended = (length: number) => {
    if (length < 15) return length;
    let sum = length;
    for (let more = 255; more === 255; sum += more) {
      if (at >= block.length) throw new Error('an LZ4 block ends inside a length');
      more = block[at++]!;
    }
    return sum;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw new Error('an LZ4 block ends inside its literals');
    filled = append(block.subarray(at, at + literals), output, filled);
    at += literals;
    if (at === block.length) break;
    const distance = block[at]! | ((block[at + 1] ?? 0) << 8);
    at += 2;
    const end = filled + extended(token & 15) + 4;
    if (distance === 0 || distance > filled || end > output.length) throw new Error('an LZ4 match lies outside');
    while (filled < end) {
      output[filled] = output[filled - distance]!;
      filled++;
    }
  }
  return filled;
}

function append(bytes: Uint8Array, output: Uint8Array, filled: number): number {
  if (filled + bytes.length > output.length) throw new Error('an LZ4 frame unpacks to more than it claims');
  output.set(bytes, filled);
  return filled + bytes.length;
}
