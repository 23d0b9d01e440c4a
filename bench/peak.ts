import { Algebra } from '../src/curvature/algebra';
import type { Runtime } from '../src/onnx/runtime';

/** GFLOP/s by the clock, and by the seconds that all threads were busy. */
export interface Speed {
  readonly gflops: number;
  readonly busy: number;
}

/** A large product on the runtime's threads: what the processor gives at best. Each call measures it once. */
export async function matmulPeak(runtime: Runtime): Promise<() => Promise<Speed>> {
  const algebra = await Algebra.open(runtime);
  const n = 2048;
  const square = { dims: [n, n], values: new Float32Array(n * n).fill(0.5) };
  await algebra.multiply(square, square);
  return async () => {
    const [started, before] = [performance.now(), process.cpuUsage()];
    await algebra.multiply(square, square);
    const { user, system } = process.cpuUsage(before);
    const gflop = (2 * n ** 3) / 1e9;
    return { gflops: gflop / ((performance.now() - started) / 1000), busy: gflop / ((user + system) / 1e6) };
  };
}
