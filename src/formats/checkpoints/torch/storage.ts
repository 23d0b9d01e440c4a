import type { DType } from '../../../onnx/dtype';

type Plain = Exclude<DType, 'string'>;

/** Element types by torch's names for them, `torch.float32` without its module. */
export const dtypeOfName: Readonly<Record<string, Plain>> = {
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
export const dtypeOfStorage: Readonly<Record<string, Plain>> = {
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
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}
