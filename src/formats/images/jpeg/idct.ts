/**
 * The inverse cosine transform of 8×8 coefficients in the integers of the Independent JPEG Group's "slow" method (Loeffler,
 * Ligtenberg and Moschytz 1989, 13 bits of fraction), which libjpeg-turbo takes by default: the same bytes, bit by bit.
 */
const columns = new Int32Array(64);

/** Transforms 64 coefficients from `from`, times `quantities`, into 8 rows of `samples`, `stride` apart, from `to`. */
export function inverseTransform(
  coefficients: Int16Array,
  from: number,
  quantities: Uint16Array,
  samples: Uint8Array,
  to: number,
  stride: number,
): void {
  for (let column = 0; column < 8; column++) {
    const at = from + column;
    const value = (row: number) => coefficients[at + 8 * row]! * quantities[column + 8 * row]!;
    pass(value(0), value(1), value(2), value(3), value(4), value(5), value(6), value(7), 11);
    for (let row = 0; row < 8; row++) columns[column + 8 * row] = results[row]!;
  }
  for (let row = 0; row < 8; row++) {
    const at = 8 * row;
    pass(
      columns[at]!,
      columns[at + 1]!,
      columns[at + 2]!,
      columns[at + 3]!,
      columns[at + 4]!,
      columns[at + 5]!,
      columns[at + 6]!,
      columns[at + 7]!,
      18,
    );
    const out = to + row * stride;
    for (let column = 0; column < 8; column++) {
      const value = results[column]! + 128;
      samples[out + column] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
}

const results = new Int32Array(8);

/** One transform of eight values into `results`, rounded at the last `shift` bits. */
function pass(
  v0: number,
  v1: number,
  v2: number,
  v3: number,
  v4: number,
  v5: number,
  v6: number,
  v7: number,
  shift: number,
): void {
  const half = 1 << (shift - 1);
  const even = (v2 + v6) * 4433;
  const even2 = even - v6 * 15137;
  const even3 = even + v2 * 6270;
  const sum = (v0 + v4) * 8192;
  const difference = (v0 - v4) * 8192;
  const a0 = sum + even3 + half;
  const a3 = sum - even3 + half;
  const a1 = difference + even2 + half;
  const a2 = difference - even2 + half;

  const common = (v7 + v3 + v5 + v1) * 9633;
  const z1 = (v7 + v1) * -7373;
  const z2 = (v5 + v3) * -20995;
  const z3 = (v7 + v3) * -16069 + common;
  const z4 = (v5 + v1) * -3196 + common;
  const b0 = v7 * 2446 + z1 + z3;
  const b1 = v5 * 16819 + z2 + z4;
  const b2 = v3 * 25172 + z2 + z3;
  const b3 = v1 * 12299 + z1 + z4;

  results[0] = (a0 + b3) >> shift;
  results[7] = (a0 - b3) >> shift;
  results[1] = (a1 + b2) >> shift;
  results[6] = (a1 - b2) >> shift;
  results[2] = (a2 + b1) >> shift;
  results[5] = (a2 - b1) >> shift;
  results[3] = (a3 + b0) >> shift;
  results[4] = (a3 - b0) >> shift;
}
