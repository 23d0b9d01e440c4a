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
import type { CheckProcess } from '../../../src/worker/checkProcess';
import { fixtureQueries, fixtureSubject, takenFeeds } from '../../support/fixtureSubject';
import { findSoftwareVulkan, heldChecker, startCheckOn } from '../../support/softwareVulkan';

/** What the product runs on WebGPU, run there without a GPU and compared with the CPU's numbers. */

const folder = mkdtempSync(join(tmpdir(), 'whence-webgpu-'));
symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(folder, 'node_modules'));
afterAll(() => rmSync(folder, { recursive: true }));

const checker = heldChecker(folder);
const vulkan = await findSoftwareVulkan(checker);
if (!vulkan.found) process.stderr.write(`WebGPU is not tested: ${vulkan.reason}.\n`);

/** Of every family of layers one network; the sum of their values of a kind is held to single precision's rounding. */
const networks = ['mlpseq', 'cnn', 'resnet', 'mobile', 'vit-sdpa', 'bert-sdpa', 'lstm'];

const graphs: Readonly<Record<string, (subject: Subject) => Model>> = {
  covariances: (subject) => covarianceGraph(subject, 'sampled', new Set(subject.sites.keys())),
  eigenvalues: (subject) => eigenvalueGraph(subject, 'sampled'),
  factors: (subject) => factorGraph(subject, new Set(subject.sites.keys()), true),
  queries: (subject) => queryGraph(subject, 'margin'),
};
/** Of sites with several positions, which a perceptron has none of. */
const positionGraphs: typeof graphs = {
  scores: (subject) => scoreGraph(subject, fixtureQueries, true),
  'self-scores': selfScoreGraph,
};

describe.runIf(vulkan.found)('WebGPU', () => {
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
});
