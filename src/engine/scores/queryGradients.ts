import type { SiteQueries } from '../../attribution/preconditioned';
import { queryGraph } from '../../curvature/instrument';
import { isRankOne } from '../../curvature/positions';
import type { Site } from '../../curvature/site';
import { outputNames } from '../../curvature/subject';
import type { Tensor } from '../../onnx/runtime';
import type { Measurement } from '../../protocol/model';
import type { SitePart } from '../fit/siteParts';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';

/** Queries of a split: what each is measured by, and at which class or label. */
export interface AskedQueries {
  readonly indices: readonly number[];
  readonly targets: readonly number[];
  readonly measurement: Measurement['kind'];
  /** The one place of a sequence whose label is measured. */
  readonly token: number | undefined;
}

/** Gradients of the measurement at one checkpoint, one entry for each of a part's sites. */
export async function queryGradients(
  network: Network,
  part: SitePart,
  queries: ModelExamples,
  { indices, targets, measurement, token }: AskedQueries,
  checkpoint: number,
): Promise<readonly SiteQueries[]> {
  const { sites } = part.subject;
  const whole = await network.querySubject();
  const subject = { ...whole, sites: part.indices.map((index) => whole.sites[index]!) };
  const session = await network.session(`query ${measurement} of ${part.name}`, subject, (own) =>
    queryGraph(own, measurement),
  );
  const weights = await network.weights(checkpoint);
  const gathered = sites.map((site) => empty(site, indices.length));
  for (let start = 0; start < indices.length; start += subject.batch) {
    const end = Math.min(indices.length, start + subject.batch);
    const batch = await queries.batch(indices.slice(start, end), subject.batch);
    const feeds = network.batchFeeds(subject, batch, targets.slice(start, end), token);
    const outputs = await runWith(session, { ...weights, ...feeds });
    for (const [index, own] of gathered.entries()) take(own, outputs, index, start, end - start);
  }
  return gathered;
}

function empty(site: Site, count: number): SiteQueries {
  const { inputs, outputs } = site;
  if (!isRankOne(site)) {
    const values = new Float32Array(count * outputs * inputs);
    return { kind: 'full', values: { dims: [count, outputs, inputs], values } };
  }
  return {
    kind: 'rank-one',
    activation: { dims: [count, inputs], values: new Float32Array(count * inputs) },
    gradient: { dims: [count, outputs], values: new Float32Array(count * outputs) },
  };
}

/** Copies a batch's rows to where its queries stand. */
function take(queries: SiteQueries, outputs: Record<string, Tensor>, site: number, start: number, count: number): void {
  const copy = (into: Float32Array, width: number, name: string) =>
    into.set(floats(outputs, name).subarray(0, count * width), start * width);
  if (queries.kind === 'full') {
    const { dims, values } = queries.values;
    copy(values, dims[1]! * dims[2]!, outputNames.full(site));
    return;
  }
  const { activation, gradient } = queries;
  copy(activation.values, activation.dims[1]!, outputNames.activation(site));
  copy(gradient.values, gradient.dims[1]!, outputNames.gradient(site));
}
