import { isAdapterPart } from '../binding/names';
import type { Files } from '../bytes';
import type { TensorRef } from '../tensor';
import type { CheckpointContent } from './content';
import { readJson } from './json';
import { isRecord } from './safetensorsHeader';

/** What PEFT puts before the names of the model that it adapts. */
const wrapper = 'base_model.model.';
/** The part of a name after which the model has the adapter's own name, which files leave out. */
const adapterPart = /\.(lora_\w+|ia3_l|hada_w[12]_[ab]|vera_lambda_[bd])(?=\.|$)/;

/** Whether a checkpoint is an adapter of PEFT alone, without the model that it adapts. */
export function isAdapter({ tensors }: CheckpointContent): boolean {
  const names = [...tensors.keys()];
  return names.length > 0 && names.every((name) => name.startsWith(wrapper)) && names.some(isAdapterPart);
}

/**
 * An adapter's tensors by the names that they have in the adapted model, as an exported graph has them: files write
 * `base_model.model.fc.lora_A.weight` for what the model calls `fc.lora_A.default.weight`. What the adapter does not hold stays
 * the graph's own. Modules that were trained whole are told by adapter_config.json beside the file.
 */
export async function withModelNames(
  content: CheckpointContent,
  path: string,
  files?: Files,
): Promise<CheckpointContent> {
  const whole = await wholeModules(path, files);
  const renamed = new Map<string, TensorRef>();
  for (const [name, ref] of content.tensors) {
    const model = modelName(name.slice(wrapper.length), whole);
    renamed.set(model, { ...ref, name: model });
  }
  return { ...content, tensors: renamed, metadata: { ...content.metadata, adapter: 'PEFT' } };
}

function modelName(name: string, whole: readonly string[]): string {
  if (isAdapterPart(name)) return name.replace(adapterPart, '.$1.default');
  const parts = name.split('.');
  const last = parts.findIndex((part) => whole.includes(part));
  return last < 0 ? name : [...parts.slice(0, last + 1), 'modules_to_save.default', ...parts.slice(last + 1)].join('.');
}

/** Names of the modules that PEFT trains and saves whole, such as a classifier's head. */
async function wholeModules(path: string, files: Files | undefined): Promise<readonly string[]> {
  const file = files?.join(files.dirname(path), 'adapter_config.json');
  if (!files || file === undefined || !(await files.exists(file))) return [];
  const config = await readJson(await files.open(file));
  const modules = isRecord(config) ? config.modules_to_save : undefined;
  return Array.isArray(modules) ? modules.filter((name) => typeof name === 'string') : [];
}
