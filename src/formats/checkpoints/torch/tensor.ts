import { product } from '../../../onnx/dims';
import { bytesPerElement, type DType } from '../../../onnx/dtype';
import { WhenceError } from '../../../protocol/errors';
import type { ByteSource } from '../../bytes';
import { arrayOf } from '../../pickle/numpy';
import { numberOf, PickleGlobal, PickleObject, type PickleValue } from '../../pickle/values';
import { elementCount, elementSpan, formatDims, type TensorRef } from '../../tensor';
import { namedDtype, type StorageRange, storageDtype, storageId } from './storage';

/** A file's memory by the keys that its pickle calls storages by. */
export interface TensorMemory {
  readonly source: ByteSource;
  readonly storages: ReadonlyMap<string, StorageRange>;
}

type Plain = Exclude<DType, 'string'>;

/** An expanded tensor repeats its elements; more than so many are a claim, not a weight. */
const mostRepeated = 2 ** 24;

const saveAgain = 'Save model.state_dict() with plain tensors: torch.save(model.state_dict(), path).';

const subclass = 'torch._tensor._rebuild_from_type_v2';

/** Functions that make a tensor of their first argument, which is one. */
const wrappers: ReadonlySet<string> = new Set([
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
]);

/** Tensors that are not dense numbers, as people call them. */
const refused: readonly (readonly [RegExp, string])[] = [
  [/_rebuild_qtensor$/, 'quantized'],
  [/_rebuild_(sparse|sparse_csr)_tensor$/, 'sparse'],
  [/_rebuild_nested_tensor$/, 'nested'],
  [/_rebuild_meta_tensor_no_storage$/, 'on the meta device, without values'],
  [/_rebuild_(wrapper_subclass|from_type|device_tensor_from_.*|xla_tensor)$/, 'of a class of its own'],
];

/** A parameter of a subclass wraps a tensor twice; a file that wraps more, or itself, means no tensor. */
const mostWrapped = 4;

/** Whether a value stands for a tensor of any kind, readable or not. */
export function isTensor(value: PickleValue | undefined): value is PickleObject {
  const inner = value instanceof PickleObject ? unwrapped(value) : undefined;
  return inner !== undefined && (/^torch\._utils\._rebuild_/.test(inner.type) || arrayOf(inner) !== undefined);
}

/** The call that makes the numbers of a tensor, within those that make a parameter or a subclass of it. */
function unwrapped(value: PickleObject): PickleObject | undefined {
  let object = value;
  for (let depth = 0; depth <= mostWrapped; depth++) {
    const isWrapper = wrappers.has(object.type);
    if (!isWrapper && object.type !== subclass) return object;
    const inner = isWrapper ? object.args[0] : rebuiltFrom(object.args);
    if (!(inner instanceof PickleObject)) return undefined;
    object = inner;
  }
  return undefined;
}

/**
 * The tensor that a call to one of torch's rebuilding functions describes, as a range of the file.
 * @throws WhenceError `unsupported-dtype` or `unsupported-format` with the tensor's name where it is not dense numbers;
 * `malformed-file` where it lies outside its storage
 */
export function tensorRef(name: string, value: PickleObject, memory: TensorMemory): TensorRef {
  const inner = unwrapped(value) ?? value;
  const { type, args } = inner;
  const place = { file: memory.source.path, place: `tensor ${name}`, mend: saveAgain };
  const array = arrayOf(inner);
  if (array) return { name, ...array(memory.source.path) };
  const kind = refused.find(([pattern]) => pattern.test(type))?.[1];
  if (kind)
    throw new WhenceError('unsupported-format', `Tensor ${name} is ${kind}, which Whence does not read.`, place);
  if (!/^torch\._utils\._rebuild_tensor(_v2|_v3)?$/.test(type)) {
    throw new WhenceError(
      'unsupported-format',
      `Tensor ${name} is made by ${type}, which Whence does not know.`,
      place,
    );
  }
  const [storage, start, size, stride] = args;
  const { key, dtype } = storageOf(storage, type.endsWith('_v3') ? args[6] : undefined, name, memory.source);
  const range = memory.storages.get(key);
  if (!range) throw new WhenceError('malformed-file', `The memory ${key} of tensor ${name} is not in the file.`, place);
  const layout = { first: numberOf(start), dims: sizesOf(size), strides: sizesOf(stride) };
  return rangeOf(name, dtype, layout, range, range.source ?? memory.source);
}

interface Layout {
  readonly first: number | undefined;
  readonly dims: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
}

function rangeOf(name: string, dtype: Plain, layout: Layout, range: StorageRange, source: ByteSource): TensorRef {
  const { first, dims, strides } = layout;
  const details = { file: source.path, place: `tensor ${name}`, mend: 'Copy the file again, or save it again.' };
  if (first === undefined || first < 0 || !dims || strides?.length !== dims.length) {
    throw new WhenceError('malformed-file', `Tensor ${name} has no shape and strides that fit each other.`, details);
  }
  const width = bytesPerElement[dtype];
  const span = elementSpan(dims, strides);
  if ((first + span) * width > range.length && span > 0) {
    throw new WhenceError(
      'malformed-file',
      `Tensor ${name} of shape ${formatDims(dims)} needs ${(first + span) * width} bytes, its storage has ${range.length}.`,
      details,
    );
  }
  const count = elementCount(dims);
  if (count > Math.max(span, mostRepeated)) {
    throw new WhenceError(
      'malformed-file',
      `Tensor ${name} of shape ${formatDims(dims)} repeats ${span} elements.`,
      details,
    );
  }
  const place = {
    name,
    dtype,
    dims,
    source,
    offset: range.offset + (span > 0 ? first * width : 0),
    length: span * width,
  };
  return isRowMajor(dims, strides) ? place : { ...place, strides };
}

/** The call inside a tensor of a subclass: (function, class, arguments, state). */
function rebuiltFrom(args: readonly PickleValue[]): PickleValue | undefined {
  const [callable, , inner] = args;
  return callable instanceof PickleGlobal && Array.isArray(inner) ? new PickleObject(callable.name, inner) : undefined;
}

function storageOf(value: PickleValue | undefined, given: PickleValue | undefined, name: string, source: ByteSource) {
  const { tag, type, key } = storageId(value) ?? {};
  const details = { file: source.path, place: `tensor ${name}`, mend: saveAgain };
  if (tag !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string') {
    throw new WhenceError('malformed-file', `Tensor ${name} does not say where its memory is.`, details);
  }
  const dtype = given instanceof PickleGlobal ? namedDtype(given) : storageDtype(type);
  if (dtype) return { key, dtype };
  throw new WhenceError(
    'unsupported-dtype',
    `Tensor ${name} has the type ${given instanceof PickleGlobal ? given.name : type.name}, which Whence does not read.`,
    {
      ...details,
      mend: 'Save the weights as float32, float64, float16 or bfloat16.',
    },
  );
}

function sizesOf(value: PickleValue | undefined): readonly number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const sizes = value.map((size) => (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : -1));
  const total = product(sizes);
  return sizes.includes(-1) || !Number.isSafeInteger(total * 8) ? undefined : sizes;
}

function isRowMajor(dims: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    if (dims[axis]! !== 1 && strides[axis] !== expected) return dims.includes(0);
    expected *= dims[axis]!;
  }
  return true;
}
