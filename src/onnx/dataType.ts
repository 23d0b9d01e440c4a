import type { DType } from './dtype';

/** ONNX's numbers for element types (TensorProto.DataType) that Whence knows. */
const numberByDType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

const dtypeByNumber = new Map(Object.entries(numberByDType).map(([dtype, number]) => [number, dtype as DType]));

export function dataTypeNumber(dtype: DType): number {
  return numberByDType[dtype];
}

export function dtypeOfNumber(number: number): DType | undefined {
  return dtypeByNumber.get(number);
}
