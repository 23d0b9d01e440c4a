import { WhenceError } from '../protocol/errors';

/** A symmetric matrix's eigendecomposition. `vectors` is [n, n] row-major; row k is the unit eigenvector of `values[k]`, ascending. */
export interface Eigendecomposition {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/** Decomposes a symmetric [n, n] row-major matrix in float64. */
export type Eigensolver = (matrix: Float64Array, n: number) => Eigendecomposition;

/** What media/eigh.wasm exports: LAPACK's divide-and-conquer solver DSYEVD. `eigh` overwrites `a` by the eigenvectors. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
  readonly eigh: (a: number, w: number, n: number) => number;
  readonly _initialize?: () => void;
}

const notFinite = -1;
const outOfMemory = -2;
const largestBlock = 2 ** 31;

/**
 * Compiles the solver once; every call reuses one instance, whose memory never shrinks: give it wide matrices in a thread
 * that ends, and the widest first.
 */
export async function loadEigensolver(wasm: Uint8Array): Promise<Eigensolver> {
  const module = await WebAssembly.compile(wasm);
  let idle: Exports | undefined;

  return function decompose(matrix, n) {
    if (matrix.length !== n * n) {
      throw new WhenceError(
        'internal',
        `An eigendecomposition of ${matrix.length} numbers is not one of ${n} by ${n}.`,
      );
    }
    if (matrix.byteLength >= largestBlock) throw tooLarge(n);
    const solver = idle ?? instantiate(module);
    idle = undefined;
    // Addresses above 2 GiB arrive as negative numbers.
    const a = solver.malloc(matrix.byteLength) >>> 0;
    const w = solver.malloc(n * 8) >>> 0;
    if (n > 0 && (a === 0 || w === 0)) throw tooLarge(n);
    new Float64Array(solver.memory.buffer, a, n * n).set(matrix);
    const info = solver.eigh(a, w, n);
    if (info === outOfMemory) throw tooLarge(n);
    if (info === notFinite) throw new WhenceError('not-finite', `A covariance of ${n} by ${n} holds NaN or infinity.`);
    if (info !== 0)
      throw new WhenceError('internal', `LAPACK's eigensolver did not converge (info ${info}, n = ${n}).`);
    // Views are made after the call, since memory may have grown in it; slices outlive the free.
    const values = new Float64Array(solver.memory.buffer, w, n).slice();
    const vectors = new Float64Array(solver.memory.buffer, a, n * n).slice();
    solver.free(a);
    solver.free(w);
    idle = solver;
    return { values, vectors };
  };
}

function instantiate(module: WebAssembly.Module): Exports {
  const instance = new WebAssembly.Instance(module, {
    env: { emscripten_notify_memory_growth() {} },
    wasi_snapshot_preview1: {
      proc_exit(code: number) {
        throw new WhenceError('internal', `The eigensolver stopped with code ${code}.`);
      },
    },
  });
  const exports = instance.exports as Partial<Exports>;
  if (!exports.memory || !exports.malloc || !exports.free || !exports.eigh) {
    throw new WhenceError('internal', 'eigh.wasm is not the eigensolver that this version of Whence came with.');
  }
  exports._initialize?.();
  return exports as Exports;
}

function tooLarge(n: number): WhenceError {
  return new WhenceError('out-of-memory', `A layer ${n} wide is too large for the eigensolver.`);
}
