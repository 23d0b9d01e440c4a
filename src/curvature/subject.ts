import type { CrossEntropyOptions } from '../autodiff/loss';
import type { Model, TensorType } from '../onnx/graph';
import type { LossKind } from '../protocol/model';
import type { Site } from './site';

/** A graph with known shapes for one batch size, and what of it is data, output and trained. */
export interface Subject {
  readonly model: Model;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly batch: number;
  readonly logits: string;
  readonly loss: LossKind;
  readonly lossOptions?: LossOptions;
  readonly trained: ReadonlySet<string>;
  readonly sites: readonly Site[];
  /** How many tokens an example has, where padding does not count: the mask is then an input. */
  readonly tokens?: number | undefined;
  /** Keeps the backward pass to what every device has. */
  readonly portable?: boolean;
}

/** What a loss has beside its kind. */
export interface LossOptions extends CrossEntropyOptions {
  /** A custom loss: the graph value [batch] that the user's own loss graph makes. */
  readonly losses?: string;
}

/** Whether every token of an example has a label, and logits, of its own: logits are [batch, tokens, classes]. */
export function isPerToken({ types, logits }: Pick<Subject, 'types' | 'logits'>): boolean {
  return types.get(logits)!.dims.length === 3;
}

/** What the labels of a batch look like to the subject's loss. */
export function labelsType({ loss, batch, types, logits }: Subject): TensorType {
  const custom = types.get(inputNames.labels);
  const { dims } = types.get(logits)!;
  if (custom) return custom;
  if (loss === 'cross-entropy' || loss === 'next-token') {
    return { dtype: 'int64', dims: dims.length === 3 ? dims.slice(0, 2) : [batch] };
  }
  return { dtype: 'float32', dims };
}

/** Names of the graph inputs that taps add to a model. Weights keep their initializer's name. */
export const inputNames = {
  /** int64 [batch] or [batch, tokens] of class indices, negative for what does not count, or float32 [batch, outputs] of targets. */
  labels: 'whence/labels',
  /** float32 [batch]: 1 for an example, 0 for a padding row. */
  weights: 'whence/weights',
  /** float32 [batch] or [batch, tokens] in [0, 1): the sampled Fisher's draws. */
  noise: 'whence/noise',
  activationBasis: (site: number) => `whence/basis/${site}/activation`,
  gradientBasis: (site: number) => `whence/basis/${site}/gradient`,
  /** float32 [queries, outputs, inputs] in the eigenbasis. */
  queries: (site: number) => `whence/queries/${site}`,
  /** float32 [outputs, inputs] of a matrix function's eigenvalues. */
  responses: (site: number) => `whence/responses/${site}`,
} as const;

/** Names of the outputs of the graphs below; `site` is an index into the subject's sites. */
export const outputNames = {
  logits: 'whence/out/logits',
  losses: 'whence/out/losses',
  scores: 'whence/out/scores',
  representation: 'whence/out/representation',
  projected: 'whence/out/projected',
  residuals: 'whence/out/residuals',
  activation: (site: number) => `whence/out/${site}/activation`,
  gradient: (site: number) => `whence/out/${site}/gradient`,
  full: (site: number) => `whence/out/${site}/full`,
  eigenvalues: (site: number) => `whence/out/${site}/eigenvalues`,
  gradientSum: (site: number) => `whence/out/${site}/sum`,
  squaredRows: (site: number) => `whence/out/${site}/squares/rows`,
  squaredColumns: (site: number) => `whence/out/${site}/squares/columns`,
} as const;

/** Weights that a normalisation is folded into, by the width of its scale. */
export function scaledWeights(sites: readonly Site[]): ReadonlyMap<string, number> {
  const scaled = sites.filter(({ scaled }) => scaled);
  return new Map(
    scaled.map(({ weight, outputs, uses }) => {
      const [{ map }] = uses as [Site['uses'][number]];
      return [weight, map.kind === 'convolution' ? outputs * map.groups : outputs];
    }),
  );
}

export function float32(dims: readonly number[]): TensorType {
  return { dtype: 'float32', dims };
}
