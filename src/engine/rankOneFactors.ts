import type { CurvedSegment, FactorBatch, SiteFactors } from '../attribution/scores';
import type { Matrix } from '../curvature/algebra';
import { factorGraph } from '../curvature/instrument';
import { isRankOne } from '../curvature/positions';
import { staticSites } from '../curvature/staticSites';
import { outputNames } from '../curvature/subject';
import type { Feeds, Session, Tensor } from '../onnx/runtime';
import type { ModelExamples } from './examples';
import { floats, runWith } from './feeds';
import { basisFeeds } from './fit';
import type { Network } from './network';
import type { Task } from './task';

/** Factors of all segments together stay in memory up to here; beyond it they are computed for every query. */
const keptBytes = 384 * 2 ** 20;

/**
 * Per-example training gradients of the sites with one position, as rank-one factors in a segment's eigenbasis: straight
 * from the model's graph, and kept while they fit.
 */
export class RankOneFactors {
  private readonly kept = new Map<string, FactorBatch>();
  /** Activations that no weight touches, by basis: the same arrays serve every checkpoint and segment. */
  private readonly shared = new Map<string, Matrix>();
  private readonly statics: ReadonlySet<number>;
  private bytes = 0;

  constructor(
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {
    this.statics = staticSites(network.training);
  }

  isKept(segment: CurvedSegment): boolean {
    return this.kept.has(keyOf(segment));
  }

  async *batches(segment: CurvedSegment, task: Task): AsyncGenerator<FactorBatch> {
    const key = keyOf(segment);
    let kept = this.kept.get(key);
    const bytes = this.factorBytes(segment);
    if (!kept && this.bytes + bytes <= keptBytes) {
      kept = await this.gather(segment, task);
      this.kept.set(key, kept);
      this.bytes += bytes;
    }
    if (kept) yield kept;
    else yield* this.computed(segment, task);
  }

  /** All batches of a segment as one. */
  private async gather(segment: CurvedSegment, task: Task): Promise<FactorBatch> {
    const count = this.train.length;
    const empty = (width: number): Matrix => ({ dims: [count, width], values: new Float32Array(count * width) });
    const sites = this.network.sites.map((site, index): SiteFactors | undefined => {
      if (!isRankOne(site)) return undefined;
      const gradients = segment.method.checkpoints.map(() => empty(site.outputs));
      const moving = () => segment.method.checkpoints.map(() => empty(site.inputs));
      return { activations: this.statics.has(index) ? [this.sharedActivation(segment, index)] : moving(), gradients };
    });
    for await (const batch of this.computed(segment, task)) {
      for (const [index, own] of batch.sites.entries()) {
        const all = sites[index];
        if (!own || !all) continue;
        own.activations.forEach((part, c) => {
          all.activations[c]!.values.set(part.values, batch.from * part.dims[1]!);
        });
        own.gradients.forEach((part, c) => {
          all.gradients[c]!.values.set(part.values, batch.from * part.dims[1]!);
        });
      }
    }
    return { from: 0, count, sites: sites.map(withSum) };
  }

  private sharedActivation(segment: CurvedSegment, index: number): Matrix {
    const key = `${index} ${segment.factors?.[index]?.activation.id}`;
    const { inputs } = this.network.sites[index]!;
    const count = this.train.length;
    const known = this.shared.get(key) ?? { dims: [count, inputs], values: new Float32Array(count * inputs) };
    this.shared.set(key, known);
    return known;
  }

  /** Factors of one batch after the other, straight from the graph. */
  private async *computed(segment: CurvedSegment, task: Task): AsyncGenerator<FactorBatch> {
    const sessions = await this.factorSessions(segment);
    const checkpoints: Feeds[] = [];
    for (const checkpoint of segment.method.checkpoints) checkpoints.push(await this.network.weights(checkpoint));
    const subject = this.network.training;
    const bases = segment.factors ? basisFeeds(segment.factors) : {};
    for await (const batch of this.train.batches(subject.batch)) {
      const feeds = { ...this.network.batchFeeds(subject, batch), ...bases };
      const outputs: Record<string, Tensor>[] = [];
      for (const [index, weights] of checkpoints.entries()) {
        task.step('gradients', 'Training gradients');
        const session = index === 0 ? sessions.first : sessions.others;
        outputs.push(await runWith(session, { ...weights, ...feeds }));
      }
      yield this.factorBatch(outputs, batch.indices[0]!, batch.indices.length);
    }
  }

  /** The first checkpoint brings the activations that all share; the others need not. */
  private async factorSessions(segment: CurvedSegment): Promise<{ first: Session; others: Session }> {
    const projected = segment.factors !== undefined;
    const all = new Set(this.network.sites.keys());
    const moving = new Set([...all].filter((site) => !this.statics.has(site)));
    const subject = this.network.training;
    const first = await this.network.session(`factors ${projected}`, () => factorGraph(subject, all, projected));
    const others = await this.network.session(`moving factors ${projected}`, () =>
      factorGraph(subject, moving, projected),
    );
    return { first, others };
  }

  private factorBatch(outputs: readonly Record<string, Tensor>[], from: number, count: number): FactorBatch {
    const sites = this.network.sites.map((site, index) => {
      if (!isRankOne(site)) return undefined;
      const rows = (name: string, width: number) => (output: Record<string, Tensor>) => ({
        dims: [count, width],
        values: floats(output, name).subarray(0, count * width),
      });
      const activation = rows(outputNames.activation(index), site.inputs);
      const gradients = outputs.map(rows(outputNames.gradient(index), site.outputs));
      const isStatic = this.statics.has(index);
      return withSum({ activations: (isStatic ? outputs.slice(0, 1) : outputs).map(activation), gradients });
    });
    return { from, count, sites };
  }

  private factorBytes(segment: CurvedSegment): number {
    const floatsPerExample = this.network.sites
      .filter(isRankOne)
      .reduce((sum, { inputs, outputs }) => sum + inputs + outputs, 0);
    return 4 * floatsPerExample * this.train.length * segment.method.checkpoints.length;
  }
}

/** Where all checkpoints share the activation, the products need only the sum of their gradients. */
function withSum(factors: SiteFactors | undefined): SiteFactors | undefined {
  if (!factors || factors.activations.length > 1 || factors.gradients.length === 1) return factors;
  const [first, ...more] = factors.gradients as [Matrix, ...Matrix[]];
  const values = first.values.slice();
  for (const { values: own } of more) for (let i = 0; i < values.length; i++) values[i] = values[i]! + own[i]!;
  return { ...factors, gradientSum: { dims: first.dims, values } };
}

function keyOf({ method, factors }: CurvedSegment): string {
  const bases = factors?.map(({ activation, gradient }) => `${activation.id} ${gradient.id}`) ?? [];
  return [method.checkpoints.join(), ...bases].join('\n');
}
