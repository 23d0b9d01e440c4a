/** Pearson correlation. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const { covariance, variances } = moments(a, b);
  return covariance / Math.sqrt(variances[0] * variances[1]);
}

/** Slope of the least-squares line of `y` on `x`, through their means. */
export function slope(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const { covariance, variances } = moments(x, y);
  return covariance / variances[0];
}

/** Largest |a - b| over the largest |b|. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let error = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    error = Math.max(error, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return error / largest;
}

function moments(a: ArrayLike<number>, b: ArrayLike<number>): { covariance: number; variances: [number, number] } {
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let covariance = 0;
  const variances: [number, number] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    covariance += x * y;
    variances[0] += x * x;
    variances[1] += y * y;
  }
  return { covariance, variances };
}
