import { probeRowOrders } from '../curvature/rowOrder';
import { findSites, type SiteSearch, weightedActivations } from '../curvature/site';
import type { Subject } from '../curvature/subject';
import type { Binding } from '../formats/bind';
import { checkLabels } from '../formats/datasets';
import { elementCount, formatDims } from '../formats/tensor';
import { lower } from '../onnx/lowering';
import type { Feeds } from '../onnx/runtime';
import { probeTypes } from '../onnx/shape';
import { withInputs } from '../onnx/weightInputs';
import { WhenceError } from '../protocol/errors';
import { type ModelExamples, range } from './examples';
import { weightNames } from './frozen';
import type { EngineHost } from './host';
import { ofModel } from './modelErrors';
import type { OpenRun } from './openRun';
import { searchedWeights } from './trainedWeights';

/** Intermediate values of one batch, in all passes that share a forward pass, stay below this. */
const batchBytes = 192 * 2 ** 20;
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
  const probed = await probeTypes(run.model, host.cpu, { [run.input.name]: inputs }, fed).catch((error: unknown) => {
    throw ofModel(error, run.model.file);
  });
  const { model, types } = lower({ model: run.model, types: probed });
  checkLogits(run, types.get(run.logits)!.dims, batch);
  const search: SiteSearch = { model, types, batch, ...searchedWeights(bindings) };
  const rowOrders = await rowOrdersOf(run, host, search, examples, weights);
  const trained = new Set(bindings.map(({ initializer }) => initializer));
  const sites = findSites({ ...search, rowOrders });
  return { model, types, batch, logits: run.logits, loss: run.loss, trained, sites };
}

/** Two batches of copies of one example, another in their second row, tell which rows are an example's own. */
async function rowOrdersOf(
  run: OpenRun,
  host: EngineHost,
  search: SiteSearch,
  examples: ModelExamples,
  weights: Feeds,
) {
  const { batch } = search;
  const copies = (second: number) => Array.from({ length: batch }, (_, row) => (row === 1 ? second : 0));
  const one = await examples.batch(copies(0), batch);
  const other = await examples.batch(copies(examples.length - 1), batch);
  const feeds = [
    { ...weights, [run.input.name]: one.inputs },
    { ...weights, [run.input.name]: other.inputs },
  ] as const;
  const model = withInputs(search.model, new Set(Object.keys(weights)));
  return probeRowOrders(model, host.cpu, feeds, { batch, changed: 1 }, weightedActivations(search));
}

function checkLogits(run: OpenRun, dims: readonly number[], batch: number): void {
  const outputs = dims[1];
  // A label is one number, so a regression has one output.
  const fits = dims.length === 2 && dims[0] === batch && (run.loss === 'squared-error' ? outputs === 1 : outputs! >= 2);
  if (!fits) {
    throw new WhenceError(
      'shape-mismatch',
      `The output ${run.logits} has the shape ${formatDims(dims)} for ${batch} examples; ${run.loss} wants ${run.loss === 'squared-error' ? '[batch, 1]' : '[batch, classes]'}.`,
      {
        file: run.model.file,
        place: `output ${run.logits}`,
        mend: 'Export the model so that it returns logits, one row an example.',
      },
    );
  }
  if (run.loss === 'squared-error') return;
  // The model's file may leave its outputs' width open: only here is it known for certain.
  for (const split of run.splits.values()) checkLabels(split, outputs!);
  if (outputs! < run.classes.length) {
    throw new WhenceError(
      'shape-mismatch',
      `The model has ${outputs} outputs, but the data ${run.classes.length} classes.`,
      {
        file: run.model.file,
        place: `output ${run.logits}`,
        mend: 'Use the model that was trained on this data.',
      },
    );
  }
}

/** The largest batch that the memory for intermediate values allows. */
export async function affordableBatch(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  examples: ModelExamples,
  weights: Feeds,
): Promise<number> {
  const size = Math.min(4, examples.length);
  const { types, logits, sites } = await subjectOf(run, host, bindings, examples, size, weights);
  // Patches, gradients and the per-example gradient of a site with several positions are values that only the taps add.
  let bytes = sites
    .filter((site) => site.positions > 1)
    .reduce(
      (sum, { positions, inputs, outputs }) => sum + 4 * (positions * (2 * inputs + outputs) + 2 * inputs * outputs),
      0,
    );
  for (const [name, { dtype, dims }] of types) {
    const isWeight = run.model.graph.initializers.has(name) || weights[name] !== undefined;
    if (dtype === 'float32' && !isWeight) bytes += (4 * elementCount(dims)) / size;
  }
  const passes = 3 + (types.get(logits)!.dims[1] ?? 1);
  return Math.max(1, Math.min(largestBatch, examples.length, Math.floor(batchBytes / (bytes * passes))));
}
