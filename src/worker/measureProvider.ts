import type { Feeds, Runtime, Session, SessionOptions, Tensor } from '../onnx/runtime';
import { createRuntime } from './session';

/** A graph and one batch for it, as the engine will run them. */
export interface ProviderTrial {
  readonly model: Uint8Array;
  /** What the CPU would run in the model's place, where that differs: the same outputs from the same inputs. */
  readonly cpuModel?: Uint8Array;
  readonly feeds: Feeds;
  /** Outputs to compare; all of them by default. */
  readonly fetches?: readonly string[];
  readonly externalData?: SessionOptions['externalData'];
}

export interface ProviderMeasurement {
  /** Largest difference from the CPU's numbers over the largest of them, the worst over the floating outputs. */
  readonly difference: number;
  /** One batch, the fastest of a few. */
  readonly cpuSeconds: number;
  readonly deviceSeconds: number;
}

const timedRuns = 3;

/** Runs the trial on the CPU and on `provider`. It may abort the process: call it in one that may die. */
export async function measureProvider(provider: string, trial: ProviderTrial): Promise<ProviderMeasurement> {
  const onDevice = await timeRun(createRuntime(provider), trial);
  const { model, cpuModel = model } = trial;
  const onCpu = await timeRun(createRuntime('cpu'), { ...trial, model: cpuModel });
  return {
    difference: largestDifference(onCpu.outputs, onDevice.outputs),
    cpuSeconds: onCpu.seconds,
    deviceSeconds: onDevice.seconds,
  };
}

async function timeRun(runtime: Runtime, { model, feeds, fetches, externalData }: ProviderTrial) {
  const session: Session = await runtime.createSession(model, externalData ? { externalData } : {});
  // The first run compiles kernels and fills caches.
  const outputs = await session.run(feeds, fetches);
  let seconds = Number.POSITIVE_INFINITY;
  for (let run = 0; run < timedRuns; run++) {
    const start = performance.now();
    await session.run(feeds, fetches);
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
  }
  await session.release();
  return { outputs, seconds };
}

type Outputs = Readonly<Record<string, Tensor>>;

/** Infinite where shapes differ, an output is missing, one has NaN or infinity that the other has not, or none is floating. */
export function largestDifference(expected: Outputs, actual: Outputs): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const [name, { dims, data }] of Object.entries(expected)) {
    if (!(data instanceof Float32Array || data instanceof Float64Array)) continue;
    const other = actual[name];
    if (!other || other.dims.join() !== dims.join()) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, relativeDifference(data, other.data as Float32Array | Float64Array));
  }
  return worst === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : worst;
}

function relativeDifference(expected: Float32Array | Float64Array, actual: Float32Array | Float64Array): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = expected[i]!;
    const b = actual[i]!;
    if (Object.is(a, b) || a === b) continue;
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(a - b));
  }
  for (const value of expected) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  if (difference === 0) return 0;
  return largest === 0 ? Number.POSITIVE_INFINITY : difference / largest;
}
