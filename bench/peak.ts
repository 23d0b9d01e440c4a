import { Algebra } from '../src/curvature/algebra';
import type { Runtime } from '../src/onnx/runtime';

/** A large product on the runtime's threads: the GFLOP/s that the processor gives at best. Each call measures it once. */
export async function matmulPeak(runtime: Runtime): Promise<() => Promise<number>> {
  const algebra = await Algebra.open(runtime);
  const n = 2048;
  const square = { dims: [n, n], values: new Float32Array(n * n).fill(0.5) };
  await algebra.multiply(square, square);
  return async () => {
    const started = performance.now();
    await algebra.multiply(square, square);
    return (2 * n ** 3) / ((performance.now() - started) / 1000) / 1e9;
  };
}
