import { isFloat } from '../../../onnx/dtype';
import { WhenceError } from '../../../protocol/errors';
import { isDict, PickleObject, type PickleValue } from '../../pickle/values';
import type { TensorRef } from '../../tensor';
import type { CheckpointContent } from '../content';
import type { TorchFile } from './archive';
import { withoutWrappers } from './names';
import { isTensor, tensorRef } from './tensor';
import { trainingStateOf } from './training';
import { type FoundWeights, findWeights, isOptimizerState } from './weights';

/** The weights that a file of torch.save or pickle holds, whatever they were packed in. */
export async function contentOf(file: TorchFile): Promise<CheckpointContent> {
  const { source } = file.memory;
  const found = findWeights(file.value, source.path);
  const refs = found && readable(found, file);
  if (!found || !refs || !holdsWeights(refs)) {
    throw new WhenceError('unsupported-format', `The file holds no model's weights: it is ${kindOf(file)}.`, {
      file: source.path,
      mend: "Name a file of weights, such as torch.save(model.state_dict(), 'step-1000.pt') writes.",
    });
  }
  const opaque = file.opaque.filter((name) => !known.test(name));
  const names = withoutWrappers([...refs.keys()]);
  const tensors = new Map([...refs].map(([name, ref]) => [names.get(name)!, { ...ref, name: names.get(name)! }]));
  const state = await trainingStateOf(file.value, file.memory, { tensors, inModelOrder: true });
  return {
    tensors,
    metadata: found.place === '' ? {} : { place: found.place },
    ...(found.alternatives.length > 0 ? { alternatives: found.alternatives } : {}),
    ...(state === undefined ? {} : { state }),
    ...(opaque.length > 0 ? { opaque } : {}),
  };
}

/** What tensors, arrays and storages are made by. */
const known = /^(__torch__|torch\._utils|torch\._tensor|numpy|persistent id$)/;

function readable({ tensors }: FoundWeights, { memory }: TorchFile): ReadonlyMap<string, TensorRef> {
  return new Map([...tensors].map(([name, value]) => [name, tensorRef(name, value, memory)]));
}

/** Examples and labels are tensors too; what they are called tells them from weights. */
const dataNames =
  /^(x|y|data|images?|labels?|targets?|inputs?|features|samples|input_ids|attention_mask)([_.]?(train|test|val))?$/i;

function holdsWeights(tensors: ReadonlyMap<string, TensorRef>): boolean {
  const isAllData = [...tensors.keys()].every((name) => dataNames.test(name));
  return !isAllData && [...tensors.values()].some(({ dtype }) => isFloat(dtype));
}

/** What a file without weights seems to be, by the outermost value. */
function kindOf({ value, opaque }: TorchFile): string {
  if (isOptimizerState(value)) return "an optimizer's state";
  if (isTensor(value)) return 'a single tensor';
  if (value instanceof PickleObject) return `an object of ${value.type}`;
  if (isDict(value) && value.has('last_epoch')) return "a learning-rate schedule's state";
  if (isDict(value)) return `a dict of ${keysOf(value)}`;
  if (Array.isArray(value))
    return `a list or tuple of ${value.length}${value.some(isTensor) ? ', tensors among them' : ''}`;
  return opaque.length > 0 ? `made of ${opaque.slice(0, 4).join(', ')}` : 'a single value';
}

function keysOf(value: ReadonlyMap<PickleValue, PickleValue>): string {
  const keys = [...value.keys()].slice(0, 5).map((key) => (key instanceof Object ? '...' : String(key).slice(0, 40)));
  return keys.length === 0 ? 'nothing' : `${keys.join(', ')}${value.size > 5 ? `, ... (${value.size})` : ''}`;
}
