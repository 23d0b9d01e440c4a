import type { GraphBuilder } from '../builder';
import type { Node } from '../graph';

/** Tensors that the sequences of a graph hold, by the sequence's name. */
export type Sequences = Map<string, readonly string[]>;

/**
 * Writes a node as ones of simpler ops that mean the same. Returns a value for each of the node's outputs, null for one
 * that is no tensor or that is absent; or null alone where the node is best left as it is.
 */
export type Lowering = (builder: GraphBuilder, node: Node, sequences: Sequences) => readonly (string | null)[] | null;

export type Lowerings = Readonly<Record<string, Lowering>>;
