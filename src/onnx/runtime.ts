import type { DType } from './dtype';
import type { ValueInfo } from './graph';

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** A dense row-major tensor. bool is Uint8Array, float16 and bfloat16 are Uint16Array of their bits. */
export interface Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

export type Feeds = Readonly<Record<string, Tensor>>;

/** A loaded graph. `run` returns the asked outputs, all of them by default. */
export interface Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** What shape inference knows of those outputs that are tensors, before anything has run. */
  readonly outputTypes: readonly ValueInfo[];
  run(feeds: Feeds, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

export interface SessionOptions {
  /** Bytes that the model refers to by `location`. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Runs on the CPU whatever device was chosen: probing, float64. */
  readonly cpu?: boolean;
  /** False: nothing is computed, and no memory taken, before the first run. True by default: constants are folded, ops fused. */
  readonly optimize?: boolean;
}

/** How pure code runs a graph. The one implementation is the worker's, on onnxruntime. */
export interface Runtime {
  /** `cpu`, `webgpu`, `cuda`, ... */
  readonly provider: string;
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>;
}
