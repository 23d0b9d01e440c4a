import { availableParallelism } from 'node:os';
import * as ort from 'onnxruntime-node';
import type { DType } from '../onnx/dtype';
import { encodeModel } from '../onnx/encode';
import type { Model, ValueInfo } from '../onnx/graph';
import type { Feeds, Runtime, Session, SessionOptions, Tensor, TensorData } from '../onnx/runtime';
import { WhenceError } from '../protocol/errors';

/** The sole importer of onnxruntime-node: an execution provider behind the pure code's `Runtime`. */
export function createRuntime(provider = 'cpu', threads = availableParallelism()): Runtime {
  return {
    provider,
    async createSession(model: Uint8Array, options: SessionOptions = {}): Promise<Session> {
      const executionProviders = options.cpu || provider === 'cpu' ? ['cpu'] : [provider, 'cpu'];
      try {
        if (provider === 'webgpu') await holdDevice(provider);
        const session = await ort.InferenceSession.create(model, {
          executionProviders,
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          logSeverityLevel: 3,
          graphOptimizationLevel: options.optimize === false ? 'disabled' : 'all',
          ...(options.externalData ? { externalData: [...options.externalData] } : {}),
        });
        return wrap(session);
      } catch (error) {
        throw runtimeError('onnxruntime refused the graph', error);
      }
    },
  };
}

/**
 * A device goes with its last session, and with it the shaders that were compiled for it, which takes seconds: one session
 * stays open as long as the process lives.
 */
function holdDevice(provider: string): Promise<unknown> {
  held ??= ort.InferenceSession.create(encodeModel(nothing), { executionProviders: [provider] });
  return held;
}

let held: Promise<unknown> | undefined;

const nothing: Model = {
  file: '',
  irVersion: 8,
  producer: 'whence',
  opsets: new Map([['', 17]]),
  graph: {
    name: 'nothing',
    inputs: [{ name: 'x', dtype: 'float32', dims: [1] }],
    outputs: [{ name: 'y', dtype: 'float32', dims: [1] }],
    initializers: new Map(),
    nodes: [{ name: 'y', op: 'Neg', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }],
  },
};

/** What this build of onnxruntime could use, were its driver and libraries there. */
export function builtProviders(): readonly string[] {
  return ort.listSupportedBackends().map(({ name }) => name);
}

function wrap(session: ort.InferenceSession): Session {
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    outputTypes: session.outputMetadata.flatMap(typeOf),
    async run(feeds: Feeds, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
      const values: Record<string, ort.Tensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) values[name] = toOrt(tensor);
      try {
        const results = await (fetches ? session.run(values, [...fetches]) : session.run(values));
        const tensors: Record<string, Tensor> = {};
        for (const [name, value] of Object.entries(results)) tensors[name] = fromOrt(value);
        return tensors;
      } catch (error) {
        throw runtimeError('onnxruntime could not run the graph', error);
      }
    },
    release: () => session.release(),
  };
}

/** onnxruntime gives an unnamed dimension that varies an empty name. */
function typeOf(value: ort.InferenceSession.ValueMetadata): readonly ValueInfo[] {
  if (!value.isTensor) return [];
  const dims = value.shape.map((dim) => (dim === '' ? null : dim));
  return [{ name: value.name, dtype: value.type as DType, dims }];
}

function toOrt(tensor: Tensor): ort.Tensor {
  return new ort.Tensor(tensor.dtype as 'float32', tensor.data as Float32Array, tensor.dims);
}

function fromOrt(value: ort.Tensor): Tensor {
  return { dtype: value.type as DType, dims: value.dims, data: value.data as TensorData };
}

function runtimeError(what: string, cause: unknown): WhenceError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  // A dimension of 2³¹ or more comes out negative: no memory holds what has it.
  const outOfMemory = /bad_alloc|out of memory|Failed to allocate|Invalid dimension: -/i.test(reason);
  return new WhenceError(outOfMemory ? 'out-of-memory' : 'runtime-failed', `${what}: ${reason}`, {}, { cause });
}
