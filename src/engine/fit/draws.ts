/**
 * Uniform numbers in [0, 1) for the sampled Fisher, `dims` [batch] or [batch, tokens], padded with zeros: a function of the
 * seed, the checkpoint's step, the example and the token alone, so that neither batch size nor order changes a draw.
 */
export function drawNoise(
  seed: number,
  step: number,
  indices: readonly number[],
  [batch, tokens = 1]: readonly number[],
): Float32Array {
  const noise = new Float32Array(batch! * tokens);
  indices.forEach((index, row) => {
    const own = mix(mix(mix(seed) ^ step) ^ index);
    for (let token = 0; token < tokens; token++) {
      // 24 bits, so that the nearest float32 never rounds up to 1.
      noise[row * tokens + token] = ((token === 0 ? own : mix(own ^ token)) >>> 8) / 2 ** 24;
    }
  });
  return noise;
}

/** A 32-bit integer hash (the finalizer of MurmurHash3), which turns neighbouring keys into unrelated numbers. */
export function mix(key: number): number {
  let h = (key + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
