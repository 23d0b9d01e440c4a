import { connect, type RemoteApi } from '../../src/protocol/connection';
import { WhenceError } from '../../src/protocol/errors';
import type { Preview } from '../../src/protocol/model';
import type { Port } from '../../src/protocol/port';
import type {
  DataFile,
  DataHostApi,
  DataPage,
  DataViewApi,
  InfluenceHostApi,
  InfluenceSnapshot,
  InfluenceViewApi,
} from '../../src/protocol/viewApi';

/** The host's end of a view's wire, inside the page: everything between it and the view is the real thing. */

export interface Ask {
  readonly method: string;
  readonly request: unknown;
}

export interface HostEnd {
  /** What the view asked for, in order. */
  readonly asks: Ask[];
  influence?: RemoteApi<InfluenceViewApi>;
  data?: RemoteApi<DataViewApi>;
}

/** What a test sets up before the view starts. */
export interface Setting {
  readonly snapshot?: InfluenceSnapshot;
  readonly data?: DataSetting;
}

export interface DataSetting {
  readonly file: DataFile;
  /** Examples in file order. */
  readonly total: number;
  readonly labels: readonly number[];
  /** Predicted classes in the same order, cyclic like `images` and `labels`; absent without a run. */
  readonly predicted?: readonly number[];
  readonly images: readonly Preview[];
  readonly failing?: boolean;
  /** Milliseconds that a page takes. */
  readonly delay?: number;
}

declare global {
  interface Window {
    hostEnd: HostEnd;
    setting: Setting;
  }
}

window.hostEnd = { asks: [] };

/** What VS Code makes of a message to a page: JSON, but with typed arrays as they are. */
function delivered(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return structuredClone(value);
  if (Array.isArray(value)) return value.map((item) => delivered(item) ?? null);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, delivered(item)]));
}

/** Asynchronous both ways, as VS Code's pipe is. */
function pipe(): { readonly port: Port; readonly api: unknown } {
  const listeners = new Set<(message: unknown) => void>();
  const port: Port = {
    post: (message) => window.postMessage(delivered(message)),
    onMessage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onClose: () => () => undefined,
  };
  const api = {
    postMessage(message: unknown) {
      const copy: unknown = structuredClone(message);
      setTimeout(() => {
        for (const listener of listeners) listener(copy);
      });
    },
    // VS Code keeps it while the page is hidden and over a reload of the window.
    getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined,
    setState(value: unknown) {
      sessionStorage.setItem('state', JSON.stringify(value));
    },
  };
  return { port, api };
}

const { port, api } = pipe();
Object.assign(window, { acquireVsCodeApi: () => api });

function note<Request>(method: string, answer: (request: Request) => void = () => undefined) {
  return async (request: Request) => {
    window.hostEnd.asks.push({ method, request });
    answer(request);
  };
}

if (document.body.dataset.view === 'influence') {
  const { remote, serve } = connect<InfluenceViewApi, InfluenceHostApi>(port);
  window.hostEnd.influence = remote;
  serve({
    ready: async () => window.setting.snapshot ?? { state: 'empty', reason: 'no-run' },
    choose: note('choose'),
    open: note('open'),
    cancel: note('cancel'),
    act: note('act'),
  });
} else {
  const { remote, serve } = connect<DataViewApi, DataHostApi>(port);
  window.hostEnd.data = remote;
  serve({
    ready: async () => dataSetting().file,
    page: async (request) => {
      window.hostEnd.asks.push({ method: 'page', request });
      const { delay, failing } = dataSetting();
      if (delay) await new Promise((resolve) => setTimeout(resolve, delay));
      if (failing) {
        throw new WhenceError('truncated-file', 'The file ends before its last image.', {
          file: '/home/mira/fashion/data/t10k-images-idx3-ubyte.gz',
          place: 'byte 440,737',
          mend: 'Download it again.',
        });
      }
      return dataPage(request.order, request.from, request.count);
    },
    attribute: note('attribute'),
    setUp: note('setUp'),
  });
}

function dataSetting(): DataSetting {
  const { data } = window.setting;
  if (!data) throw new Error('The test set no data up.');
  return data;
}

function dataPage(order: 'file' | 'wrong-first', from: number, count: number): DataPage {
  const { total, labels, predicted } = dataSetting();
  const cyclic = <Value>(values: readonly Value[], index: number) => values[index % values.length] as Value;
  const isWrong = (index: number) => predicted !== undefined && cyclic(predicted, index) !== cyclic(labels, index);
  const all = Array.from({ length: total }, (_, index) => index);
  const indices = order === 'file' ? all : all.filter(isWrong).sort((a, b) => confidence(b) - confidence(a));
  return {
    total: indices.length,
    examples: indices.slice(from, from + count).map((index) => ({
      id: { split: 'test', index },
      label: cyclic(labels, index),
      location: { file: dataSetting().file.name, index },
      preview: cyclic(dataSetting().images, index),
      ...(predicted
        ? {
            prediction: {
              predicted: cyclic(predicted, index),
              confidence: confidence(index),
              loss: 0.1,
              probabilities: [],
            },
          }
        : {}),
    })),
  };
}

/** Some number between one half and one that tells examples apart. */
function confidence(index: number): number {
  return 0.5 + ((index * 7919) % 1000) / 2001;
}
