import type { DType } from '../../../onnx/dtype';
import type { ByteSource } from '../../bytes';
import { nestedFile, type PickleGlobal, PickleObject, type PickleValue, persistentType } from '../../pickle/values';

type Plain = Exclude<DType, 'string'>;

/** Element types by torch's names for them, `torch.float32` without its module. */
const dtypeOfName: Readonly<Record<string, Plain>> = {
  float32: 'float32',
  float64: 'float64',
  float16: 'float16',
  bfloat16: 'bfloat16',
  int8: 'int8',
  int16: 'int16',
  int32: 'int32',
  int64: 'int64',
  uint8: 'uint8',
  uint16: 'uint16',
  uint32: 'uint32',
  uint64: 'uint64',
  bool: 'bool',
};

/** Element types by the class of the storage, `torch.FloatStorage` or `torch.cuda.FloatStorage`. */
const dtypeOfStorage: Readonly<Record<string, Plain>> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  CharStorage: 'int8',
  ShortStorage: 'int16',
  IntStorage: 'int32',
  LongStorage: 'int64',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  UntypedStorage: 'uint8',
  _UntypedStorage: 'uint8',
};

/** Where the memory behind tensors lies in a file. */
export interface StorageRange {
  /** Where it is not the file itself but bytes within its pickle. */
  readonly source?: ByteSource;
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** The id of a storage, `('storage', torch.FloatStorage, '0', 'cpu', 12)`. */
export function storageId(value: PickleValue | undefined) {
  if (!(value instanceof PickleObject)) return undefined;
  const object = value.type === nestedFile && value.state instanceof PickleObject ? value.state : value;
  const [id] = object.type === persistentType ? object.args : [];
  const [tag, type, key] = Array.isArray(id) ? id : [];
  return { tag, type, key };
}

/** The element type that `torch.float32` names. */
export function namedDtype({ name }: PickleGlobal): Plain | undefined {
  const last = name.replace(/^torch\./, '');
  return Object.hasOwn(dtypeOfName, last) ? dtypeOfName[last] : undefined;
}

/** The element type of a storage's class; undefined where it is none that Whence reads. */
export function storageDtype(type: PickleGlobal): Plain | undefined {
  const last = type.name.slice(type.name.lastIndexOf('.') + 1);
  return Object.hasOwn(dtypeOfStorage, last) ? dtypeOfStorage[last] : undefined;
}
