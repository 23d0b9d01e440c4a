import type { FactorBatch, SiteFactors } from '../../attribution/rankOneScores';
import type { CurvedSegment, LoadedSegment } from '../../attribution/scores';
import type { Matrix } from '../../curvature/algebra';
import { factorGraph } from '../../curvature/instrument';
import { isRankOne } from '../../curvature/positions';
import { staticSites } from '../../curvature/staticSites';
import { outputNames } from '../../curvature/subject';
import type { Feeds, Session, Tensor } from '../../onnx/runtime';
import { basisFeeds } from '../fit/eigenvalueStage';
import type { SitePart } from '../fit/siteParts';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { Task } from '../task';

/** Factors of one batch at some of a segment's checkpoints, of which `first` is the first. */
interface ComputedBatch extends FactorBatch {
  readonly first: number;
}

/**
 * Per-example training gradients of the sites with one position, as rank-one factors in a segment's eigenbasis: straight
 * from the model's graph, and kept while they fit into their share of memory; beyond it they are computed for every query.
 */
export class RankOneFactors {
  private readonly kept = new Map<string, FactorBatch>();
  /** Activations that no weight touches, by site and basis: the same arrays serve every checkpoint and segment. */
  private readonly shared = new Map<string, Matrix>();
  private bytes = 0;

  constructor(
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {}

  isKept(part: SitePart, segment: CurvedSegment): boolean {
    return this.kept.has(keyOf(part, segment));
  }

  async *batches(part: SitePart, segment: LoadedSegment, task: Task): AsyncGenerator<FactorBatch> {
    const key = keyOf(part, segment);
    let kept = this.kept.get(key);
    const bytes = this.factorBytes(part, segment);
    if (!kept && this.bytes + bytes <= this.network.memory.gradients) {
      kept = await this.gather(part, segment, task);
      this.kept.set(key, kept);
      this.bytes += bytes;
    }
    if (kept) yield kept;
    else
      for await (const { sites, ...batch } of this.computed(part, segment, task))
        yield { ...batch, sites: sites.map(withSum) };
  }

  /** All batches of a segment as one. */
  private async gather(part: SitePart, segment: LoadedSegment, task: Task): Promise<FactorBatch> {
    const count = this.train.length;
    const empty = (width: number): Matrix => ({ dims: [count, width], values: new Float32Array(count * width) });
    const statics = staticSites(part.subject);
    const sites = part.subject.sites.map((site, index): SiteFactors | undefined => {
      if (!isRankOne(site)) return undefined;
      const gradients = segment.method.checkpoints.map(() => empty(site.outputs));
      const moving = () => segment.method.checkpoints.map(() => empty(site.inputs));
      return { activations: statics.has(index) ? [this.sharedActivation(part, segment, index)] : moving(), gradients };
    });
    const copy = (from: Matrix, to: Matrix, row: number) => to.values.set(from.values, row * from.dims[1]!);
    for await (const batch of this.computed(part, segment, task)) {
      for (const [index, own] of batch.sites.entries()) {
        const all = sites[index];
        if (!own || !all) continue;
        const offset = statics.has(index) ? 0 : batch.first;
        own.activations.forEach((rows, c) => {
          copy(rows, all.activations[offset + c]!, batch.from);
        });
        own.gradients.forEach((rows, c) => {
          copy(rows, all.gradients[batch.first + c]!, batch.from);
        });
      }
    }
    return { from: 0, count, sites: sites.map(withSum) };
  }

  private sharedActivation(part: SitePart, segment: LoadedSegment, index: number): Matrix {
    const key = `${part.indices[index]} ${segment.factors?.[index]?.activation.id}`;
    const { inputs } = part.subject.sites[index]!;
    const count = this.train.length;
    const known = this.shared.get(key) ?? { dims: [count, inputs], values: new Float32Array(count * inputs) };
    this.shared.set(key, known);
    return known;
  }

  /**
   * Factors of one batch after the other, straight from the graph: at all checkpoints of the segment, or at one after the other
   * where the weights of all would take more than a batch does.
   */
  private async *computed(part: SitePart, segment: LoadedSegment, task: Task): AsyncGenerator<ComputedBatch> {
    const statics = staticSites(part.subject);
    const sessions = await this.factorSessions(part, segment, statics);
    const { checkpoints } = segment.method;
    const bytes = this.network.memory.weights * checkpoints.length;
    const together = bytes <= this.network.memory.batch ? checkpoints.length : 1;
    const { subject } = part;
    const bases = segment.factors ? basisFeeds(segment.factors) : {};
    for (let first = 0; first < checkpoints.length; first += together) {
      const weights: Feeds[] = [];
      for (const checkpoint of checkpoints.slice(first, first + together)) {
        weights.push(await this.network.weights(checkpoint));
      }
      for await (const batch of this.train.batches(subject.batch)) {
        const feeds = { ...this.network.batchFeeds(subject, batch), ...bases };
        const outputs: Record<string, Tensor>[] = [];
        for (const [index, own] of weights.entries()) {
          task.step('gradients', 'Training gradients');
          const session = index === 0 ? sessions.first : sessions.others;
          outputs.push(await runWith(session, { ...own, ...feeds }));
        }
        yield { ...factorBatch(part, statics, outputs, batch.indices[0]!, batch.indices.length), first };
      }
    }
  }

  /** The first checkpoint brings the activations that all share; the others need not. */
  private async factorSessions(
    part: SitePart,
    segment: LoadedSegment,
    statics: ReadonlySet<number>,
  ): Promise<{ first: Session; others: Session }> {
    const { subject, name } = part;
    const projected = segment.factors !== undefined;
    const all = new Set(subject.sites.keys());
    const moving = new Set([...all].filter((site) => !statics.has(site)));
    const first = await this.network.session(`factors ${projected} of ${name}`, subject, (own) =>
      factorGraph(own, all, projected),
    );
    const others = await this.network.session(`moving factors ${projected} of ${name}`, subject, (own) =>
      factorGraph(own, moving, projected),
    );
    return { first, others };
  }

  private factorBytes({ subject }: SitePart, segment: CurvedSegment): number {
    const floatsPerExample = subject.sites
      .filter(isRankOne)
      .reduce((sum, { inputs, outputs }) => sum + inputs + outputs, 0);
    return 4 * floatsPerExample * this.train.length * segment.method.checkpoints.length;
  }
}

function factorBatch(
  { subject }: SitePart,
  statics: ReadonlySet<number>,
  outputs: readonly Record<string, Tensor>[],
  from: number,
  count: number,
): FactorBatch {
  const sites = subject.sites.map((site, index) => {
    if (!isRankOne(site)) return undefined;
    const rows = (name: string, width: number) => (output: Record<string, Tensor>) => ({
      dims: [count, width],
      values: floats(output, name).subarray(0, count * width),
    });
    const activation = rows(outputNames.activation(index), site.inputs);
    const gradients = outputs.map(rows(outputNames.gradient(index), site.outputs));
    return { activations: (statics.has(index) ? outputs.slice(0, 1) : outputs).map(activation), gradients };
  });
  return { from, count, sites };
}

/** Where all checkpoints share the activation, the products need only the sum of their gradients. */
function withSum(factors: SiteFactors | undefined): SiteFactors | undefined {
  if (!factors || factors.activations.length > 1 || factors.gradients.length === 1) return factors;
  const [first, ...more] = factors.gradients as [Matrix, ...Matrix[]];
  const values = first.values.slice();
  for (const { values: own } of more) for (let i = 0; i < values.length; i++) values[i] = values[i]! + own[i]!;
  return { ...factors, gradientSum: { dims: first.dims, values } };
}

function keyOf({ name }: SitePart, { method, curvature }: CurvedSegment): string {
  return [name, method.checkpoints.join(), curvature?.id ?? 'identity'].join('\n');
}
