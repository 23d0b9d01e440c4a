import type { DirectMethod } from '../method';

/**
 * The gradient dot product over both gradients' lengths, at the last checkpoint: from -1 to 1, without units. Examples with large
 * gradients no longer lead every list, but how much an example did is lost with its length.
 */
export const gradientCosine: DirectMethod = { name: 'gradient-cosine', tellsOwn: false };

/**
 * Dot products [Q, examples] over the lengths of both gradients, in place; 0 where a gradient is zero.
 * @param queries squared lengths [Q]
 * @param examples squared lengths [examples]
 */
export function divideByLengths(dots: Float32Array, queries: Float64Array, examples: Float64Array): Float32Array {
  queries.forEach((own, q) => {
    const from = q * examples.length;
    examples.forEach((other, i) => {
      const lengths = Math.sqrt(own * other);
      dots[from + i] = lengths > 0 ? dots[from + i]! / lengths : 0;
    });
  });
  return dots;
}
