import { describe, expect, test } from 'vitest';
import { createRuntime } from '../../../src/worker/session';
import { fileOf, networkNames, openNetwork, readNetwork, variants } from '../../support/goldenNetwork';
import { siteErrors } from '../../support/siteErrors';

/** Sites of whole networks as exporters write them, against PyTorch's numbers for every example and layer. */

const runtime = createRuntime('cpu', 1);

/** Parameters that no site covers: embeddings, normalisations, and what is no layer's. */
const leftOut: Readonly<Record<string, readonly RegExp[]>> = {
  attention: [],
  'bert-eager': [/LayerNorm\.(weight|bias)$/, /embeddings\.\w+_embeddings\.weight$/],
  'bert-sdpa': [/LayerNorm\.(weight|bias)$/, /embeddings\.\w+_embeddings\.weight$/],
  bilstm: [/^words\.weight$/],
  cnn: [/^b[12]\.(weight|bias)$/],
  timemajor: [/^words\.weight$/, /norm[12]\.(weight|bias)$/],
  gated: [/^embed\.weight$/, /^before$/, /^between$/],
  'gpt2-eager': [/\.wpe\.weight$/, /\.ln_\w\.(weight|bias)$/],
  'gpt2-sdpa': [/\.wpe\.weight$/, /\.ln_\w\.(weight|bias)$/],
  gru: [/^words\.weight$/],
  hourglass: [/^up\.(weight|bias)$/],
  lora: [],
  lstm: [/^words\.weight$/],
  mixer: [/^norms\.\d\.(weight|bias)$/],
  mlp: [],
  mlpseq: [/^net\.3\.(weight|bias)$/],
  mobile: [/_norm\.(weight|bias)$/],
  normed: [
    /^words\.weight$/,
    /^places$/,
    /^(rms|layer|group|instance|batch)\.weight$/,
    /^(layer|group|instance|batch)\.bias$/,
  ],
  picker: [/^table$/, /^corner$/, /^slope\.weight$/],
  resnet: [/norm\.(weight|bias)$/, /bn[12]\.(weight|bias)$/, /short\.1\.(weight|bias)$/],
  shared: [],
  signal: [/^(group|instance)\.(weight|bias)$/, /^scale$/],
  activations: [],
  branches: [/^norm\.(weight|bias)$/],
  causal: [/^words\.weight$/, /^up\.(weight|bias)$/],
  convnext: [/norm\.(weight|bias)$/, /gamma$/],
  encoder: [/norm[12]\.(weight|bias)$/, /^token$/],
  experts: [/^words\.weight$/, /^rise$/, /^fall$/],
  highway: [/^slope\.weight$/],
  neighbours: [],
  pair: [/^centres$/, /^form$/, /^scale$/, /^see\.3\.weight$/],
  reader: [/^queries$/],
  relative: [/^distances\.weight$/, /^norm$/],
  sampled: [],
  spectrum: [/^words\.weight$/, /^norm\.(weight|bias)$/],
  states: [/^decay$/, /^skip$/],
  swin: [/norm\.(weight|bias)$/, /table$/],
  table: [/norm[12]?\.(weight|bias)$/, /^head\.2\.(weight|bias)$/, /^columns$/, /^values\.\d\.weight$/],
  wide: [],
  'vit-eager': [/layernorm(_\w+)?\.(weight|bias)$/, /cls_token$/, /position_embeddings$/],
  'vit-sdpa': [/layernorm(_\w+)?\.(weight|bias)$/, /cls_token$/, /position_embeddings$/],
};

/** Why an exporter's file is refused. */
const refused: Readonly<Record<string, RegExp>> = {
  // The optimiser computes with a parameter and keeps the result alone.
  'highway dynamo': /no weight for slope/,
  'picker dynamo': /no weight for corner/,
  'states dynamo': /no weight for decay/,
};

test('every network says what is left out', () => {
  expect(Object.keys(leftOut).sort()).toEqual([...networkNames].sort());
});

describe.each(networkNames)('%s', (name) => {
  test.each(variants.filter((variant) => fileOf(name, variant)))(
    "%s: gradients, activations are PyTorch's",
    async (variant) => {
      const network = await readNetwork(name);
      const found = openNetwork(network, variant).then((exported) => siteErrors(exported, runtime));
      const reason = refused[`${name} ${variant}`];
      if (reason) {
        await expect(found).rejects.toThrow(reason);
        return;
      }
      const { gradients, hooks, uncovered, torn } = await found;
      const patterns = leftOut[name]!;
      expect(uncovered).toEqual(
        network.parameters.filter((parameter) => patterns.some((pattern) => pattern.test(parameter))),
      );
      for (const pattern of patterns) expect(uncovered.some((parameter) => pattern.test(parameter))).toBe(true);
      expect(torn).toEqual([]);
      for (const [parameter, error] of gradients) expect.soft(error, parameter).toBeLessThan(1e-5);
      for (const [value, error] of hooks) expect.soft(error, value).toBeLessThan(1e-5);
      const seen = [...network.golden.keys()].filter(
        (key) => key.startsWith('activation/') || key.startsWith('output/'),
      );
      expect([...hooks.keys()].sort()).toEqual(seen.sort());
    },
  );
});
