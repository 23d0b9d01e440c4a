import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  covarianceGraph,
  eigenvalueGraph,
  factorGraph,
  queryGraph,
  scoreGraph,
  selfScoreGraph,
} from '../../../src/curvature/instrument';
import { isRankOne } from '../../../src/curvature/positions';
import type { Subject } from '../../../src/curvature/subject';
import { encodeModel } from '../../../src/onnx/encode';
import type { Model } from '../../../src/onnx/graph';
import { forWebGpu } from '../../../src/onnx/webgpu';
import { withInputs } from '../../../src/onnx/weightInputs';
import { WhenceError } from '../../../src/protocol/errors';
import type { CheckProcess } from '../../../src/worker/checkProcess';
import { chooseProvider } from '../../../src/worker/providers';
import { fixtureQueries, fixtureSubject, takenFeeds } from '../../support/fixtureSubject';
import { checkerIn, findSoftwareVulkan, startCheckOn } from '../../support/softwareVulkan';
import { modelOf, node, type TinyModel } from '../../support/tinyModel';
import { randomBatch, weightFeeds } from '../../support/tinySubject';

/** What the product runs on WebGPU, run there without a GPU and compared with the CPU's numbers. */

const root = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'whence-webgpu-'));
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
afterAll(() => rmSync(folder, { recursive: true }));

const checker = checkerIn(folder);
const vulkan = await findSoftwareVulkan(checker);
if (!vulkan.found) process.stderr.write(`WebGPU is not tested: ${vulkan.reason}.\n`);

/** Of every family of layers one network. */
const networks = ['cnn', 'resnet', 'vit-sdpa', 'bert-sdpa', 'lstm'];

const graphs: Readonly<Record<string, (subject: Subject) => Model>> = {
  covariances: (subject) => covarianceGraph(subject, 'sampled', new Set(subject.sites.keys())),
  eigenvalues: (subject) => eigenvalueGraph(subject, 'sampled'),
  factors: (subject) => factorGraph(subject, new Set(subject.sites.keys()), true),
  queries: (subject) => queryGraph(subject, 'margin'),
};
/** Of sites with several positions, which a perceptron has none of. */
const positionGraphs: typeof graphs = {
  scores: (subject) => scoreGraph(subject, fixtureQueries),
  'self-scores': (subject) => selfScoreGraph(subject, true),
};

/** One convolution, whose number of input channels decides which of WebGPU's kernels it gets. */
function convolution(channels: number): TinyModel {
  return {
    example: [channels, 6, 6],
    weights: { kernel: [8, channels, 3, 3] },
    nodes: [node('Conv', ['x', 'kernel'], 'maps'), node('Flatten', ['maps'], 'logits')],
    classes: 128,
  };
}

/** Its weights as inputs, as the product has them. */
function withWeights(tiny: TinyModel): Model {
  return withInputs(modelOf(tiny), new Set(Object.keys(tiny.weights)));
}

describe.runIf(vulkan.found)('WebGPU', { timeout: 300_000 }, () => {
  let check: CheckProcess;
  beforeAll(() => {
    check = startCheckOn(vulkan, checker);
  });
  afterAll(() => check.end());

  test.each(networks)('%s: covariances, eigenvalues, queries and scores are those of the CPU', async (name) => {
    const { subject, feeds } = await fixtureSubject(name);
    const several = subject.sites.some((site) => !isRankOne(site));
    for (const [kind, graph] of Object.entries({ ...graphs, ...(several ? positionGraphs : {}) })) {
      const model = forWebGpu(graph({ ...subject, portable: true }));
      const trial = {
        model: encodeModel(model),
        cpuModel: encodeModel(graph(subject)),
        feeds: takenFeeds(feeds, model),
      };
      const { difference } = await check.measure('webgpu', trial, 60_000);
      expect.soft(difference, kind).toBeLessThan(1e-5);
    }
  });

  test('channels are filled up where its convolution would misread them', async () => {
    const graph = convolution(6);
    const feeds = { x: randomBatch(graph, 4), ...weightFeeds(graph) };
    const model = encodeModel(withWeights(graph));
    const asItIs = await check.measure('webgpu', { model, feeds }, 60_000);
    const filled = await check.measure('webgpu', { model: encodeModel(forWebGpu(withWeights(graph))), feeds }, 60_000);
    expect(asItIs.difference).toBeGreaterThan(0.1);
    expect(filled.difference).toBeLessThan(1e-5);
  });

  describe('choosing a device', () => {
    const choose = (name: string, graph: TinyModel) => {
      const feeds = { x: randomBatch(graph, 4), ...weightFeeds(graph) };
      const model = encodeModel(withWeights(graph));
      return chooseProvider({ graph: () => model, feeds }, name, { program: checker });
    };

    test('refuses a device with wrong numbers, and says by how much', async () => {
      const error = await choose('webgpu', convolution(6)).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(WhenceError);
      const { code, message, details } = error as WhenceError;
      expect(code).toBe('provider-unavailable');
      expect(message).toMatch(
        /webgpu cannot be used: wrong: it differs from the CPU by \d\.\de[+-]\d of the largest value/,
      );
      expect(message).toMatch(/one batch takes .* ms, on the CPU .* ms/);
      expect(details.mend).toContain('wrong numbers');
      const { runtime, reports } = await choose('auto', convolution(6));
      expect(runtime.provider).toBe('cpu');
      expect(reports.find(({ provider }) => provider === 'webgpu')?.reason).toContain('wrong');
    });

    test('takes one with right numbers if asked to, and the CPU where it is faster', async () => {
      const named = await choose('webgpu', convolution(4));
      expect(named.runtime.provider).toBe('webgpu');
      expect(named.reports[0]?.reason).toMatch(/right but slower: it differs from the CPU by .*1e-3 is accepted/);
      const { runtime, reports } = await choose('auto', convolution(4));
      expect(runtime.provider).toBe('cpu');
      expect(reports.find(({ provider }) => provider === 'webgpu')?.reason).toContain('slower');
    });
  });
});
