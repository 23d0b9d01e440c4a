import type { Eigendecomposition } from '../curvature/eigen';
import type { Files } from '../formats/bytes';
import type { Model } from '../onnx/graph';
import type { Feeds, Runtime } from '../onnx/runtime';
import type { CancelSignal } from '../protocol/cancel';
import type { ProviderReport } from '../protocol/engineApi';

/** What the engine needs of the machine: files, a device, and eigendecompositions side by side. */
export interface EngineHost {
  readonly files: Files;
  /** Megabytes that a run may take, where the user has said so for this machine. */
  readonly memory?: number | undefined;
  /** onnxruntime on the CPU: probing, and what any device is compared with. */
  readonly cpu: Runtime;
  /**
   * Runs a graph once where a crash or an endless loop of the runtime takes nothing else along; `runtime-failed` for those,
   * and nothing for what the runtime refuses in an orderly way. Absent where there are no other processes.
   */
  readonly tryGraph?: (model: Model, feeds: Feeds) => Promise<void>;
  /**
   * Picks a device that agrees with the CPU on this graph and batch; `requested` is `auto` or a provider's name.
   * @param graph the encoded graph in the form that a provider would run; all forms have the same inputs and outputs
   */
  chooseProvider(
    graph: (provider: string) => Uint8Array,
    feeds: Feeds,
    requested: string,
  ): Promise<{ readonly runtime: Runtime; readonly reports: readonly ProviderReport[] }>;
  /**
   * Decomposes symmetric [n, n] matrices, answers in their order; the matrices may be empty afterwards. `memory` in bytes is
   * what working space and answers may take together.
   */
  eigh(
    matrices: readonly { readonly matrix: Float64Array; readonly n: number }[],
    memory: number,
    signal?: CancelSignal,
  ): Promise<Eigendecomposition[]>;
}
