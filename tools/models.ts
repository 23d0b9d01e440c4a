import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodeModel } from '../src/onnx/encode';
import { forWebGpu } from '../src/onnx/webgpu';
import type { CheckProcess } from '../src/worker/checkProcess';
import { createRuntime } from '../src/worker/session';
import {
  type ExportedNetwork,
  fileOf,
  type GoldenNetwork,
  networkNames,
  openNetwork,
  readNetwork,
  type Variant,
  variants,
} from '../test/support/goldenNetwork';
import { siteErrors, siteGraph } from '../test/support/siteErrors';
import { checkerIn, findSoftwareVulkan, startCheckOn } from '../test/support/softwareVulkan';

/** Writes docs/models.md: every network of the fixtures in every exporter's form, on every device that a machine without a GPU has. */

const runtime = createRuntime('cpu', 1);
const folder = mkdtempSync(join(tmpdir(), 'whence-models-'));
symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
const checker = checkerIn(folder);
const vulkan = await findSoftwareVulkan(checker);
if (!vulkan.found) console.log(`WebGPU is left out: ${vulkan.reason}.`);
const notes: string[] = [];

try {
  const rows: string[] = [];
  for (const name of networkNames) rows.push(await row(await readNetwork(name)));
  writeFileSync('docs/models.md', page(rows));
} finally {
  rmSync(folder, { recursive: true });
}

async function row(network: GoldenNetwork): Promise<string> {
  const check = vulkan.found ? startCheckOn(vulkan, checker) : undefined;
  const cells: string[] = [];
  const covered = new Set<string>();
  const left = new Set<string>();
  try {
    for (const variant of variants) {
      if (!fileOf(network.name, variant)) {
        cells.push('not exported');
        continue;
      }
      try {
        const exported = await openNetwork(network, variant);
        const { gradients, hooks, uncovered } = await siteErrors(exported, runtime);
        for (const parameter of gradients.keys()) covered.add(parameter);
        for (const parameter of uncovered) left.add(parameter);
        const error = Math.max(...gradients.values(), ...hooks.values());
        cells.push(
          `${error.toExponential(0)} / ${check ? await onWebGpu(network.name, variant, exported, check) : '–'}`,
        );
      } catch (error) {
        cells.push(note('refused', network.name, variant, error));
      }
      console.log(network.name, variant, cells.at(-1));
    }
  } finally {
    check?.end();
  }
  const whole = `${covered.size} of ${network.parameters.length}`;
  return `| ${[network.name, whole, ...cells, grouped([...left])].join(' | ')} |`;
}

async function onWebGpu(
  name: string,
  variant: Variant,
  exported: ExportedNetwork,
  check: CheckProcess,
): Promise<string> {
  try {
    const { model, feeds } = await siteGraph(exported, true);
    const cpu = await siteGraph(exported, false);
    const trial = { model: encodeModel(forWebGpu(model)), cpuModel: encodeModel(cpu.model), feeds };
    const { difference } = await check.measure('webgpu', trial, 120_000);
    const text = difference.toExponential(0);
    return difference < 1e-4
      ? text
      : note(text, name, `${variant} on WebGPU`, new Error('its numbers differ from the CPU'));
  } catch (error) {
    return note('refused', name, `${variant} on WebGPU`, error);
  }
}

function note(word: string, name: string, where: string, error: unknown): string {
  const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  notes.push(`${notes.length + 1}. ${name}, ${where}: ${reason}`);
  return `${word} (${notes.length})`;
}

/** Parameters by their names, layers' numbers as `*` and endings together. */
function grouped(parameters: readonly string[]): string {
  const endings = new Map<string, Set<string>>();
  for (const parameter of parameters) {
    const name = parameter.replace(/(?<=^|\.)\d+(?=\.)/g, '*');
    const dot = name.lastIndexOf('.');
    const [stem, ending] = [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)];
    endings.set(stem, (endings.get(stem) ?? new Set()).add(ending));
  }
  const spelled = [...endings].map(([stem, [first, ...rest]]) => {
    const ending = rest.length === 0 ? first : `{${[first, ...rest].sort().join(',')}}`;
    return `\`${stem === '' ? '' : `${stem}.`}${ending}\``;
  });
  return spelled.length === 0 ? '–' : spelled.join(', ');
}

function page(rows: readonly string[]): string {
  const heads = ['network', 'parameters in sites', ...variants, 'left out'];
  return `# Models

Small networks of many architectures, as PyTorch's exporters write them, against PyTorch itself: \`node tools/run.mjs tools/models.ts\`
writes this page, \`test/unit/curvature/models.test.ts\` holds what it shows. The networks and PyTorch's numbers are made by
\`test/fixtures/models/make.py\` and \`test/fixtures/sites/make.py\`; \`dynamo\` and \`legacy\` are the two exporters as they are by default,
\`dynamo-noopt\` is \`optimize=False\`, \`legacy-preserve\` is \`training=TrainingMode.PRESERVE, do_constant_folding=False\`.

In each cell, before the stroke: the largest error, over all parameters in sites and all examples, of each example's own gradient in
the checkpoint's coordinates, and of the activations and output gradients that hooks on the layers see; relative to the largest element.
After it: the largest difference of the same numbers on WebGPU (software Vulkan) from the CPU's${vulkan.found ? '' : '; no software Vulkan was found where this page was made'}.
"not exported" is what PyTorch's exporter itself refuses.

Left out are parameters that no site covers: embeddings, normalisations (those that an exporter folds into a layer too, which leaves
the layer's own gradient as the checkpoint has it) and parameters of no layer. A tied weight's gradient is that of its use as a layer,
without its lookups as an embedding.

| ${heads.join(' | ')} |
|${heads.map(() => ' --- |').join('')}
${rows.join('\n')}
${notes.length === 0 ? '' : `\n${notes.join('\n')}\n`}`;
}
