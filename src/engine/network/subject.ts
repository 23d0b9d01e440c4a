import { probeRowOrders } from '../../curvature/rowOrder';
import { findSites, type Site, type SiteSearch, weightedActivations } from '../../curvature/site';
import type { Subject } from '../../curvature/subject';
import type { Binding } from '../../formats/bind';
import { elementCount } from '../../formats/tensor';
import { lower } from '../../onnx/lowering';
import type { Feeds } from '../../onnx/runtime';
import { probeTypes } from '../../onnx/shape';
import { withInputs } from '../../onnx/weightInputs';
import { cutSites } from '../fit/siteParts';
import type { EngineHost } from '../host';
import { eigenvalueBytes, memoryOf } from '../memoryBudget';
import { ofModel } from '../run/modelErrors';
import type { OpenRun } from '../run/openRun';
import { type ModelExamples, range } from './examples';
import { weightNames } from './frozen';
import { checkLogits, withColumn } from './logits';
import { searchedWeights } from './trainedWeights';

const largestBatch = 512;

/**
 * The run's graph at one batch size, lowered, its shapes and the order of its rows probed with real examples.
 * @param weights of any checkpoint
 */
export async function subjectOf(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  examples: ModelExamples,
  batch: number,
  weights: Feeds,
): Promise<Subject> {
  const { inputs } = await examples.batch(range(0, Math.min(batch, examples.length)), batch);
  const fed = weightNames(run, bindings);
  const probed = await probeTypes(run.model, host.cpu, inputs, fed).catch((error: unknown) => {
    throw ofModel(error, run.model.file);
  });
  const lowered = lower({ model: run.model, types: probed });
  const { model, types, logits } = withColumn(lowered, run.logits);
  const tokens = examples.sequence?.mask && examples.sequence.tokens;
  checkLogits(run, types.get(logits)!.dims, batch);
  const optional = new Set(run.config.sites);
  const search: SiteSearch = { model, types, batch, tokens, optional, ...searchedWeights(bindings) };
  const rowOrders = await rowOrdersOf(host, search, examples, weights);
  const trained = new Set(bindings.map(({ initializer }) => initializer));
  const sites = findSites({ ...search, rowOrders });
  const { loss, lossOptions } = run;
  return { model, types, batch, logits, loss, lossOptions, trained, sites, tokens };
}

/** Two batches of copies of one example, another in their second row, tell which rows are an example's own. */
async function rowOrdersOf(host: EngineHost, search: SiteSearch, examples: ModelExamples, weights: Feeds) {
  const { batch } = search;
  const copies = (second: number) => Array.from({ length: batch }, (_, row) => (row === 1 ? second : 0));
  const one = await examples.batch(copies(0), batch);
  const other = await examples.batch(copies(examples.length - 1), batch);
  const feeds = [
    { ...weights, ...one.inputs },
    { ...weights, ...other.inputs },
  ] as const;
  const model = withInputs(search.model, new Set(Object.keys(weights)));
  return probeRowOrders(model, host.cpu, feeds, { batch, changed: 1 }, weightedActivations(search));
}

/** The largest batch whose intermediate values, in all passes that share a forward pass, stay within their share of memory. */
export async function affordableBatch(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  examples: ModelExamples,
  weights: Feeds,
): Promise<number> {
  const size = Math.min(4, examples.length);
  const subject = await subjectOf(run, host, bindings, examples, size, weights);
  const { types, logits, sites } = subject;
  const memory = memoryOf(run, host, sites, weights);
  const parts = cutSites(subject, [...sites.keys()], [{ bytes: memory.curvature, of: eigenvalueBytes }]);
  let bytes = 0;
  for (const [name, { dtype, dims }] of types) {
    if (dtype === 'float32' && !run.model.graph.initializers.has(name) && !weights[name])
      bytes += (4 * elementCount(dims)) / size;
  }
  // Taps of one draw and site are over before the next begin; those of different sites may be alive together.
  const taps = Math.max(0, ...parts.map((part) => tapBytes(part.subject.sites)));
  const passes = 3 + (run.fisher === 'exact' ? types.get(logits)!.dims.at(-1)! : 1);
  return Math.max(1, Math.min(largestBatch, examples.length, Math.floor(memory.batch / (bytes * passes + taps))));
}

/** Patches, gradients and the per-example gradient of a site with several positions are values that only the taps add. */
function tapBytes(sites: readonly Site[]): number {
  return sites
    .filter((site) => site.positions > 1)
    .reduce(
      (sum, { positions, inputs, outputs }) => sum + 4 * (positions * (2 * inputs + outputs) + 2 * inputs * outputs),
      0,
    );
}
