import { createInterface } from 'node:readline';
import { covarianceGraph, eigenvalueGraph, scoreGraph } from '../src/curvature/instrument';
import { inputNames } from '../src/curvature/subject';
import { encodeModel } from '../src/onnx/encode';
import type { Model } from '../src/onnx/graph';
import type { Feeds, Session, Tensor } from '../src/onnx/runtime';
import { createRuntime } from '../src/worker/session';
import { activationInput, countFlops, productsGraph, type Stage, tapsGraph } from './networkGraphs';
import { readSubject } from './networkSubject';
import { matmulPeak } from './peak';

/**
 * Runs EK-FAC's passes over one batch of a network: `node tools/run.mjs bench/networkRun.ts FOLDER NETWORK THREADS QUERIES`.
 * Says first what there is to run, then answers one line of JSON for each line on standard input that names a stage, or
 * `peak`.
 */
const [folder, network] = [process.argv[2]!, process.argv[3]!];
const [threads, queries] = [Number(process.argv[4]), Number(process.argv[5])];
const runtime = createRuntime('cpu', threads);
const { subject, inputs, labels, weights } = await readSubject(folder, network);
const fisher = subject.loss === 'next-token' ? 'sampled' : 'exact';
const draws = fisher === 'exact' ? subject.types.get(subject.logits)!.dims[1]! : 1;

const graphs: Readonly<Record<Stage, () => Model>> = {
  taps: () => tapsGraph(subject),
  covariances: () => covarianceGraph(subject, fisher, new Set(subject.sites.keys())),
  eigenvalues: () => eigenvalueGraph(subject, fisher),
  scores: () => scoreGraph(subject, queries),
  products: () => productsGraph(subject, queries),
};
const feeds: Feeds = { x: inputs, ...weights, ...tapFeeds() };
const sessions = new Map<string, Session>();
const peak = await matmulPeak(runtime);

answer({
  sites: subject.sites.map(({ weight }) => weight),
  batch: subject.batch,
  flops: countFlops(subject, draws, queries),
});
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'peak') answer({ ...(await peak()) });
  else answer({ ...(await time(line as Stage)), peak_rss_mb: process.resourceUsage().maxRSS / 1024 });
}

function answer(value: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function time(stage: Stage): Promise<{ readonly wall_s: number; readonly cpu_s: number }> {
  let session = sessions.get(stage);
  if (!session) {
    session = await runtime.createSession(encodeModel(graphs[stage]()));
    sessions.set(stage, session);
  }
  const own = Object.fromEntries(session.inputs.map((name) => [name, feeds[name]!]));
  const [started, before] = [performance.now(), process.cpuUsage()];
  await session.run(own);
  const { user, system } = process.cpuUsage(before);
  return { wall_s: (performance.now() - started) / 1000, cpu_s: (user + system) / 1e6 };
}

/** What the taps read beside the model's inputs: any numbers of the right shapes, since no time depends on them. */
function tapFeeds(): Feeds {
  const fed: Record<string, Tensor> = {
    [inputNames.labels]: labels,
    [inputNames.weights]: filled([subject.batch], 1),
    [inputNames.noise]: filled(labels.dims, 0.5),
  };
  subject.sites.forEach(({ inputs, outputs, uses }, site) => {
    fed[inputNames.activationBasis(site)] = filled([inputs, inputs], 0.01);
    fed[inputNames.gradientBasis(site)] = filled([outputs, outputs], 0.01);
    fed[inputNames.queries(site)] = filled([queries, outputs, inputs], 0.01);
    for (const use of uses) {
      fed[activationInput(use.activation)] = filled(subject.types.get(use.activation)!.dims, 0.01);
      fed[use.output] = filled(subject.types.get(use.output)!.dims, 0.01);
    }
  });
  return fed;
}

function filled(dims: readonly number[], value: number): Tensor {
  return { dtype: 'float32', dims, data: new Float32Array(dims.reduce((size, n) => size * n, 1)).fill(value) };
}
