import { projectionDimension, randomSigns, seedOf, trakDamping } from '../../attribution/methods/trak';
import { Algebra, type Matrix, transposed } from '../../curvature/algebra';
import { accumulate } from '../../curvature/ekfac';
import { outputProjectionGraph, projectionInputs, queryProjectionGraph } from '../../curvature/projectedGradients';
import type { Site } from '../../curvature/site';
import { outputNames } from '../../curvature/subject';
import type { Feeds } from '../../onnx/runtime';
import { WhenceError } from '../../protocol/errors';
import { Kept } from '../fit/kept';
import { cutSites, type SitePart } from '../fit/siteParts';
import type { EngineHost } from '../host';
import { type ModelExamples, range } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { AskedScores, DirectScorer } from './directScores';

/** One checkpoint of the ensemble. */
interface Member {
  /** Rows `v_j / √(λ_j + λ)` of the kernel's eigenvectors, which turn it into the identity: [dimension, dimension]. */
  readonly whitening: Matrix;
  /** The training examples' features in these coordinates [examples, dimension]. */
  readonly features: Matrix;
  /** -∂L/∂f [examples]. */
  readonly residuals: Float32Array;
}

/** Rows of features that are multiplied at a time. */
const chunk = 4096;
/** Below it the projection would tell nothing of many examples. */
const leastDimension = 16;
/** Of the memory for what is kept of training gradients, since other methods may have kept theirs there too. */
const keptShare = 0.5;
/** Down to it, all checkpoints' features are kept for the next query; then one checkpoint's at a time is better than fewer. */
const leastKept = 128;

/** TRAK over a run's checkpoints: features are kept in memory while they fit, and computed again beyond. */
export class Trak implements DirectScorer {
  private algebra: Promise<Algebra> | undefined;
  private readonly members: Kept<Member>;

  constructor(
    private readonly run: OpenRun,
    private readonly host: EngineHost,
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {
    this.members = new Kept(keptShare * network.memory.gradients);
  }

  async score(asked: AskedScores, task: Task): Promise<Float32Array> {
    const { length } = this.train;
    const count = asked.indices.length;
    const scores = new Float32Array(count * length);
    const algebra = await this.openAlgebra();
    const residuals = await this.eachMember(task, async (member, checkpoint) => {
      const rows = await algebra.project(await this.queries(asked, checkpoint), member.whitening);
      const { values } = await algebra.project(rows, member.features);
      for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! + values[i]! / this.run.checkpoints.length;
    });
    // The queries' gradients point to where the query gets worse, and training on an example moves along -r φ.
    for (let i = 0; i < scores.length; i++) scores[i] = -scores[i]! * residuals[i % length]!;
    return scores;
  }

  /** `mean_c |φ_c|² · (mean_c r_c)²` in the kernel's coordinates [examples]: what the example does to its own loss. */
  async selfInfluence(task: Task): Promise<Float64Array> {
    const own = new Float64Array(this.train.length);
    const residuals = await this.eachMember(task, async ({ features }) => {
      const width = features.dims[1]!;
      for (let i = 0; i < features.values.length; i++) {
        const row = Math.floor(i / width);
        own[row] = own[row]! + features.values[i]! ** 2 / this.run.checkpoints.length;
      }
    });
    return own.map((leverage, i) => leverage * residuals[i]! ** 2);
  }

  /** Visits the ensemble; the answer is r averaged over it [examples]. */
  private async eachMember(task: Task, visit: (member: Member, checkpoint: number) => Promise<void>) {
    const { checkpoints } = this.run;
    const residuals = new Float64Array(this.train.length);
    for (const checkpoint of checkpoints.keys()) {
      const member = this.members.get(`${checkpoint}`) ?? (await this.fit(checkpoint, task));
      await visit(member, checkpoint);
      member.residuals.forEach((value, i) => {
        residuals[i] = residuals[i]! + value / checkpoints.length;
      });
    }
    return residuals;
  }

  private async fit(checkpoint: number, task: Task): Promise<Member> {
    const { length } = this.train;
    const dimension = this.dimension();
    const all = new Float32Array(length * dimension);
    const residuals = new Float32Array(length);
    const parts = this.parts(dimension);
    const weights = await this.network.weights(checkpoint);
    task.expect(Math.ceil(length / this.network.training.batch) * parts.length);
    for (const part of parts) {
      const { subject } = part;
      const session = await this.network.session(`projected outputs of ${part.name}`, subject, (own) =>
        outputProjectionGraph(own, dimension),
      );
      const feeds = { ...weights, ...this.projection(part, checkpoint, dimension) };
      for await (const batch of this.train.batches(subject.batch)) {
        const outputs = await runWith(session, { ...feeds, ...this.network.batchFeeds(subject, batch) });
        const rows = floats(outputs, outputNames.projected).subarray(0, batch.indices.length * dimension);
        addAt(all, rows, batch.indices[0]! * dimension);
        residuals.set(floats(outputs, outputNames.residuals).subarray(0, batch.indices.length), batch.indices[0]!);
        task.step('gradients', 'Projected gradients');
      }
      if (parts.length > 1) await this.network.closePart(part);
    }
    const whitening = await this.whiteningOf(all, dimension, task);
    const features = await this.projectRows(all, whitening);
    const member = { whitening, features, residuals };
    this.members.set(`${checkpoint}`, member, 4 * (length + dimension) * dimension);
    return member;
  }

  /** From `Φᵀ Φ`, summed in float64. */
  private async whiteningOf(features: Float32Array, dimension: number, task: Task): Promise<Matrix> {
    const algebra = await this.openAlgebra();
    const kernel = new Float64Array(dimension * dimension);
    for (const rows of chunks(features, dimension)) {
      const columns = transposed(rows);
      accumulate(kernel, (await algebra.project(columns, columns)).values);
    }
    const trace = range(0, dimension).reduce((sum, i) => sum + kernel[i * dimension + i]!, 0);
    const damping = ((this.run.config.trak?.damping ?? trakDamping) * trace) / dimension;
    const [solved] = await this.host.eigh([{ matrix: kernel, n: dimension }], this.network.memory.solver, task.signal);
    const values = new Float32Array(dimension * dimension);
    solved!.values.forEach((value, j) => {
      const size = Math.max(value, 0) + damping;
      // Where no gradient ever points, none has to be answered for.
      const scale = size > 1e-12 * trace ? 1 / Math.sqrt(size) : 0;
      for (let i = j * dimension; i < (j + 1) * dimension; i++) values[i] = solved!.vectors[i]! * scale;
    });
    return { dims: [dimension, dimension], values };
  }

  private async projectRows(features: Float32Array, whitening: Matrix): Promise<Matrix> {
    const algebra = await this.openAlgebra();
    const dimension = whitening.dims[0]!;
    let from = 0;
    for (const rows of chunks(features, dimension)) {
      const { values } = await algebra.project(rows, whitening);
      features.set(values, from);
      from += values.length;
    }
    return { dims: [features.length / dimension, dimension], values: features };
  }

  /** Projected gradients of the queries' measurement at a checkpoint [queries, dimension]. */
  private async queries(asked: AskedScores, checkpoint: number): Promise<Matrix> {
    const { queries, indices, targets, measurement, token } = asked;
    const dimension = this.dimension();
    const values = new Float32Array(indices.length * dimension);
    const weights = await this.network.weights(checkpoint);
    const parts = this.parts(dimension);
    for (const part of parts) {
      const { subject } = part;
      const session = await this.network.session(`projected ${measurement} of ${part.name}`, subject, (own) =>
        queryProjectionGraph(own, dimension, measurement),
      );
      const feeds = { ...weights, ...this.projection(part, checkpoint, dimension) };
      for (let start = 0; start < indices.length; start += subject.batch) {
        const end = Math.min(indices.length, start + subject.batch);
        const batch = await queries.batch(indices.slice(start, end), subject.batch);
        const own = this.network.batchFeeds(subject, batch, targets.slice(start, end), token);
        const outputs = await runWith(session, { ...feeds, ...own });
        addAt(values, floats(outputs, outputNames.projected).subarray(0, (end - start) * dimension), start * dimension);
      }
      if (parts.length > 1) await this.network.closePart(part);
    }
    return { dims: [indices.length, dimension], values };
  }

  private dimension(): number {
    const { length } = this.train;
    const gradients = keptShare * this.network.memory.gradients;
    // While one checkpoint's features are made, they are there twice.
    const most = Math.floor(gradients / (8 * length));
    const keptByAll = Math.floor(gradients / (4 * length * (this.run.checkpoints.length + 1)));
    const affordable = Math.max(keptByAll, Math.min(most, leastKept));
    const dimension = this.run.config.trak?.dimension ?? projectionDimension(length, affordable);
    if (dimension <= most && dimension >= Math.min(leastDimension, length / leastDimension)) return dimension;
    const wanted = Math.max(dimension, leastDimension);
    const megabytes = Math.ceil((8 * length * wanted) / 2 ** 20);
    throw new WhenceError(
      'out-of-memory',
      `TRAK keeps ${wanted} numbers of each of ${length} training examples, which takes ${megabytes} MB more than is allowed.`,
      {
        file: this.run.path,
        place: 'trak',
        mend: 'Allow more: "memory" in whence.json, or the setting whence.memoryBudget; or set a smaller "trak.dimension".',
      },
    );
  }

  /** Sites in parts whose projections fit into memory. */
  private parts(dimension: number): readonly SitePart[] {
    const { training, memory, sites } = this.network;
    const bytes = ({ inputs, outputs }: Site) => 8 * dimension * (inputs + outputs);
    return cutSites(training, range(0, sites.length), [{ bytes: memory.queries, of: bytes }]);
  }

  private projection({ subject, indices }: SitePart, checkpoint: number, dimension: number): Feeds {
    const seed = this.run.config.seed ?? 0;
    const rows = (width: number, site: number, side: number) => ({
      dtype: 'float32' as const,
      dims: [dimension, width],
      data: randomSigns(dimension * width, seedOf(seed, checkpoint, site, side)),
    });
    return Object.fromEntries(
      subject.sites.flatMap(({ inputs, outputs }, index) => [
        [projectionInputs.activation(index), rows(inputs, indices[index]!, 0)],
        [projectionInputs.gradient(index), rows(outputs, indices[index]!, 1)],
      ]),
    );
  }

  private openAlgebra(): Promise<Algebra> {
    this.algebra ??= this.network.device().then(({ runtime }) => Algebra.open(runtime));
    return this.algebra;
  }
}

function* chunks(features: Float32Array, width: number): Generator<Matrix> {
  for (let start = 0; start < features.length; start += chunk * width) {
    const values = features.subarray(start, start + chunk * width);
    yield { dims: [values.length / width, width], values };
  }
}

function addAt(total: Float32Array, values: Float32Array, from: number): void {
  for (let i = 0; i < values.length; i++) total[from + i] = total[from + i]! + values[i]!;
}
