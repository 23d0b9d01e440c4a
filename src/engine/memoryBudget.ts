import { isRankOne } from '../curvature/positions';
import type { Site } from '../curvature/site';
import type { Feeds } from '../onnx/runtime';
import { WhenceError } from '../protocol/errors';
import type { EngineHost } from './host';
import type { OpenRun } from './run/openRun';

/** How the bytes that a run may take are divided; what is kept for later queries, and what one phase at a time works in. */
export interface MemoryBudget {
  /** What the user allows, megabytes. */
  readonly megabytes: number;
  /** The weights of one checkpoint. */
  readonly weights: number;
  /** Preprocessed inputs of all splits, kept. */
  readonly inputs: number;
  /** Rank-one factors of training gradients, kept between queries. */
  readonly gradients: number;
  /** Covariances and EK-FAC factors, kept where there is room and else read from disk again. */
  readonly factors: number;
  /** Intermediate values of one batch. */
  readonly batch: number;
  /** Sums of covariances and eigenvalues, or the factors that a part of the sites is scored with. */
  readonly curvature: number;
  /** Gradients of one round of queries, in full. */
  readonly queries: number;
  /** Eigensolvers' working space: nothing else of a phase is alive then. */
  readonly solver: number;
}

/** Megabytes, where neither the run nor the user says. */
const defaultMemory = 2048;

/** What Node, onnxruntime and the program itself take, and what allocators hold back. */
const base = 256 * 2 ** 20;
/** The model's own weights, a checkpoint's, and those of the checkpoint that is read next. */
const weightCopies = 3;
/** Queries come one or a few at a time. */
const mostQueries = 16;
/** What has to be left for batches and for what is kept. */
const least = 48 * 2 ** 20;
/** Needs are told in steps of this many megabytes. */
const step = 64;

/**
 * Divides a budget. Shares are fractions of what is left beside the program and the weights, except that the widest layer gets
 * what it cannot do without. Fails with `out-of-memory` where that leaves too little.
 *
 * @param weights bytes of the model's weights
 */
export function divideMemory(megabytes: number, sites: readonly Site[], weights: number, file: string): MemoryBudget {
  const { curvature, queries, rest, solver, suffices } = sharesOf(megabytes, sites, weights);
  if (!suffices) throw tooSmall(megabytes, sites, weights, file);
  return {
    megabytes,
    weights,
    inputs: (4 / 17) * rest,
    gradients: (6 / 17) * rest,
    factors: (5 / 34) * rest,
    batch: (3 / 17) * rest,
    curvature,
    queries,
    // The other half of the curvature's share holds the matrices themselves.
    solver: Math.max(solver, curvature / 2 + queries + (3 / 17) * rest),
  };
}

/** Megabytes that a model cannot do without. */
export function neededMemory(sites: readonly Site[], weights: number): number {
  let megabytes = step;
  while (!sharesOf(megabytes, sites, weights).suffices) megabytes += step;
  return megabytes;
}

function sharesOf(megabytes: number, sites: readonly Site[], weights: number) {
  const available = megabytes * 2 ** 20 - base - weightCopies * weights;
  const most = (of: (site: Site) => number) => sites.reduce((largest, site) => Math.max(largest, of(site)), 0);
  const curvature = Math.max((2 / 7) * available, most(covarianceBytes), most(factorBytes));
  const queries = Math.max((3 / 28) * available, most(queryBytes));
  const rest = available - curvature - queries;
  const solver = most(({ inputs, outputs }) => solverBytes(Math.max(inputs, outputs)));
  // A quarter of the rest is neither kept for later queries nor in the matrices that wait for their turn.
  const suffices = rest >= least && solver <= curvature / 2 + queries + rest / 4;
  return { curvature, queries, rest, solver, suffices };
}

/**
 * A run's budget: what its user allows this machine, else what `whence.json` says, else the default, or more where the model
 * cannot do with that.
 */
export function memoryOf(
  { config, path }: Pick<OpenRun, 'config' | 'path'>,
  { memory }: Pick<EngineHost, 'memory'>,
  sites: readonly Site[],
  weights: Feeds,
): MemoryBudget {
  const bytes = Object.values(weights).reduce((sum, { data }) => sum + data.byteLength, 0);
  const allowed = memory ?? config.memory ?? Math.max(defaultMemory, neededMemory(sites, bytes));
  return divideMemory(allowed, sites, bytes, path);
}

/** How many queries' gradients are fetched at once: those of sites with several positions come in full. */
export function queriesAtOnce({ queries }: MemoryBudget, sites: readonly Site[]): number {
  const full = sites.filter((site) => !isRankOne(site)).map(({ inputs, outputs }) => inputs * outputs);
  const all = full.reduce((sum, weights) => sum + weights, 0);
  // More than fit are scored part by part.
  const together = Math.max(...full, Math.min(all, queries / 20));
  return Math.max(1, Math.min(mostQueries, Math.floor(queries / (8 * together))));
}

/** Bytes of a site's covariances while they are summed up: float64 sums, and a batch's as the runtime hands them out. */
export function covarianceBytes({ inputs, outputs }: Site): number {
  return (8 + 4) * (inputs ** 2 + outputs ** 2);
}

/** Bytes of a site's bases as they are fed, and of its eigenvalues' sum and a batch's. */
export function eigenvalueBytes({ inputs, outputs }: Site): number {
  return 4 * (inputs ** 2 + outputs ** 2) + (8 + 4) * inputs * outputs;
}

/** Bytes of a site's factors in scoring: this segment's bases and the last one's, eigenvalues and functions of them, a rotation. */
export function factorBytes({ inputs, outputs }: Site): number {
  return 8 * (inputs ** 2 + outputs ** 2) + 12 * inputs * outputs + 4 * Math.max(inputs, outputs) ** 2;
}

/**
 * Bytes of one query's gradient at a site: as it is handed on, as it is scored, and one between the two; with several positions
 * also two that the score graph makes of it.
 */
export function queryBytes(site: Site): number {
  return (isRankOne(site) ? 12 : 20) * site.inputs * site.outputs;
}

/** Bytes that decomposing a matrix n wide takes beside the matrix: LAPACK's copy and workspace, and the answer. */
export function solverBytes(n: number): number {
  return 5 * 8 * n ** 2 + 24 * 2 ** 20;
}

function tooSmall(megabytes: number, sites: readonly Site[], weights: number, file: string): WhenceError {
  const widest = sites.reduce<Site | undefined>(
    (found, site) => (found && found.inputs * found.outputs >= site.inputs * site.outputs ? found : site),
    undefined,
  );
  const needed = neededMemory(sites, weights);
  const layer = widest ? `; its largest layer, ${widest.weight}, is ${widest.outputs} by ${widest.inputs}` : '';
  return new WhenceError(
    'out-of-memory',
    `The model needs about ${needed} MB, and ${megabytes} MB are allowed${layer}.`,
    { file, mend: `Allow at least ${needed} MB: "memory" in whence.json, or the setting whence.memoryBudget.` },
  );
}
