import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodeModel } from '../src/onnx/encode';
import { forWebGpu } from '../src/onnx/webgpu';
import type { CheckProcess } from '../src/worker/checkProcess';
import { acceptedDifference } from '../src/worker/providers';
import { createRuntime } from '../src/worker/session';
import {
  type ExportedNetwork,
  fileOf,
  type GoldenNetwork,
  networkNames,
  openNetwork,
  readNetwork,
  variants,
} from '../test/support/goldenNetwork';
import { siteErrors, siteGraph } from '../test/support/siteErrors';
import { checkerIn, findSoftwareVulkan, startCheckOn } from '../test/support/softwareVulkan';

/** Writes docs/models.md: every network of the fixtures in every exporter's form, on every device that a machine without a GPU has. */

const path = 'docs/models.md';
const runtime = createRuntime('cpu', 1);
const folder = mkdtempSync(join(tmpdir(), 'whence-models-'));
symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
const checker = checkerIn(folder);
const vulkan = await findSoftwareVulkan(checker);
if (!vulkan.found) console.log(`WebGPU is left out: ${vulkan.reason}.`);
const before = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
const asked = process.argv.slice(2);

try {
  const rows: string[] = [];
  const notes: string[] = [];
  for (const name of networkNames) {
    const known = before.find((line) => line.startsWith(`| ${name} |`));
    if (known && asked.length > 0 && !asked.includes(name)) {
      rows.push(known);
      notes.push(...before.filter((line) => line.startsWith(`- ${name}, `)));
    } else {
      const own: string[] = [];
      rows.push(await row(await readNetwork(name), own));
      notes.push(...own);
    }
  }
  writeFileSync(path, page(rows, notes));
} finally {
  rmSync(folder, { recursive: true });
}

async function row(network: GoldenNetwork, notes: string[]): Promise<string> {
  const { name } = network;
  const check = vulkan.found ? startCheckOn(vulkan, checker) : undefined;
  const cells: string[] = [];
  const covered = new Set<string>();
  const left = new Set<string>();
  try {
    for (const variant of variants) {
      if (!fileOf(name, variant)) {
        cells.push('not exported');
        continue;
      }
      try {
        const exported = await openNetwork(network, variant);
        const { gradients, hooks, uncovered } = await siteErrors(exported, runtime);
        for (const parameter of gradients.keys()) covered.add(parameter);
        for (const parameter of uncovered) left.add(parameter);
        const error = Math.max(...gradients.values(), ...hooks.values());
        const device = check ? await onWebGpu(exported, check) : { cell: '–' };
        if (device.reason) notes.push(`- ${name}, ${variant} on WebGPU: ${device.reason}`);
        cells.push(`${error.toExponential(0)} / ${device.cell}`);
      } catch (error) {
        notes.push(`- ${name}, ${variant}: ${firstLine(error)}`);
        cells.push('refused');
      }
      console.log(name, variant, cells.at(-1));
    }
  } finally {
    check?.end();
  }
  const whole = `${covered.size} of ${network.parameters.length}`;
  return `| ${[name, whole, ...cells, grouped([...left])].join(' | ')} |`;
}

/** What the engine would say of the device: it refuses one whose numbers differ. */
async function onWebGpu(
  exported: ExportedNetwork,
  check: CheckProcess,
): Promise<{ readonly cell: string; readonly reason?: string }> {
  try {
    const [portable, cpu] = [await siteGraph(exported, true), await siteGraph(exported, false)];
    const trial = { model: encodeModel(forWebGpu(portable.model)), cpuModel: encodeModel(cpu.model), feeds: cpu.feeds };
    const { difference } = await check.measure('webgpu', trial, 120_000);
    const cell = difference.toExponential(0);
    if (difference <= acceptedDifference) return { cell };
    return { cell: 'refused', reason: `its numbers differ from the CPU's by ${cell} of the largest` };
  } catch (error) {
    return { cell: 'refused', reason: firstLine(error) };
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
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

function page(rows: readonly string[], notes: readonly string[]): string {
  const heads = ['network', 'parameters in sites', ...variants, 'left out'];
  return `# Models

Small networks of many architectures, as PyTorch's exporters write them, against PyTorch itself. This page is written by
\`node tools/run.mjs tools/models.ts\` (with names behind it, only these networks' rows are); what it shows is held by
\`test/unit/curvature/models.test.ts\`. Networks and PyTorch's numbers are made by \`test/fixtures/models/make.py\` and
\`test/fixtures/sites/make.py\`. \`dynamo\` and \`legacy\` are the two exporters as they are by default, \`dynamo-noopt\` is
\`optimize=False\`, \`legacy-preserve\` is \`training=TrainingMode.PRESERVE, do_constant_folding=False\`.
\`TrainingMode.TRAINING\` computes with the batch's own statistics and is refused.

In each cell, before the stroke: the largest error, over all parameters in sites and all examples, of each example's own
gradient in the checkpoint's coordinates, and of the activations and output gradients that hooks on the layers see; relative to
the largest element. After it: the largest difference of the same numbers on WebGPU (software Vulkan) from the CPU's, "–" where
the page was made without it. "not exported" is what PyTorch's exporter itself refuses; why Whence refuses a model or a
device is below the table.

Left out are parameters that no site covers: embeddings, normalisations (those that an exporter folds into a layer too, which
leaves the layer's own gradient as the checkpoint has it) and parameters of no layer. A tied weight's gradient is that of its use
as a layer, without its lookups as an embedding. By option embeddings and normalisations are sites too
(\`test/unit/curvature/optionalSites.test.ts\`), but for those that are folded into a layer.

| ${heads.join(' | ')} |
|${heads.map(() => ' --- |').join('')}
${rows.join('\n')}

${notes.join('\n')}
`;
}
