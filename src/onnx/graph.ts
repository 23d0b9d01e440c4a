import type { DType } from './dtype';
import type { Tensor } from './runtime';

/** A node's attribute. Sub-graphs are kept as opaque bytes: nothing of ours looks into If, Loop or Scan. */
export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'graph'; readonly value: Uint8Array };

/** One operation. An absent optional input is the empty string, as in ONNX. */
export interface Node {
  readonly name: string;
  readonly op: string;
  /** The empty string is ONNX's own domain. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** The line of the model's source that it came from, where the exporter says: `net.py, line 12: y = self.fc(x)`. */
  readonly source?: string;
}

/** A dimension: a number, or a name for one that varies (`batch`), or null where nothing is said. */
export type Dimension = number | string | null;

export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Null: of unknown rank. */
  readonly dims: readonly Dimension[] | null;
}

/** A constant of the graph: bytes (little-endian, row-major) in memory, or a range of another file. */
export interface Initializer {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly bytes?: Uint8Array;
  readonly external?: { readonly location: string; readonly offset: number; readonly length?: number };
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** In topological order. */
  readonly nodes: readonly Node[];
}

export interface Model {
  /** Path of the file that it was read from, for messages; empty for graphs made here. */
  readonly file: string;
  readonly irVersion: number;
  readonly producer: string;
  /** Domain to version; '' is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: Graph;
}

/** What probing has found of a value: its static shape. */
export interface TensorType {
  readonly dtype: DType;
  readonly dims: readonly number[];
}
