/** Uniform numbers in [-1, 1) from a fixed seed (the generator splitmix32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomFloats(length: number, random: () => number, size = 1): Float32Array {
  return Float32Array.from({ length }, () => size * random());
}
