import { bytesPerElement, type DType } from '../../onnx/dtype';
import { heldBytes } from '../heldBytes';
import { elementCount, type TensorRef } from '../tensor';
import { isDict, numberOf, PickleObject, type PickleValue } from './values';

type Plain = Exclude<DType, 'string'>;

/** NumPy's letters for element types, with their bytes. */
const dtypeOfLetters: Readonly<Record<string, Plain>> = {
  f4: 'float32',
  f8: 'float64',
  f2: 'float16',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

/** `numpy.dtype('f4')` with the state `(3, '<', ...)`; big-endian numbers are no type of ours. */
function dtypeOf(value: PickleValue | undefined): Plain | undefined {
  if (!(value instanceof PickleObject) || value.type !== 'numpy.dtype') return undefined;
  const [letters] = value.args;
  if (Array.isArray(value.state) && value.state[1] === '>') return undefined;
  return typeof letters === 'string' && Object.hasOwn(dtypeOfLetters, letters) ? dtypeOfLetters[letters] : undefined;
}

/** A NumPy array of the file at a path, as a tensor without a name whose bytes are in memory; undefined for all else. */
export function arrayOf(value: PickleObject): ((path: string) => Omit<TensorRef, 'name'>) | undefined {
  if (!/^numpy\.(_?core)\.(multiarray|numeric)\.(_reconstruct|_frombuffer)$/.test(value.type)) return undefined;
  const { state } = value;
  const fields = value.type.endsWith('_frombuffer') ? frombuffer(value.args) : Array.isArray(state) ? state : [];
  const [, shape, type, isFortran, bytes] = fields;
  const dtype = dtypeOf(type);
  const dims = Array.isArray(shape) ? shape.flatMap((size) => numberOf(size) ?? []) : undefined;
  if (!dtype || !dims || !(bytes instanceof Uint8Array)) return undefined;
  const length = elementCount(dims) * bytesPerElement[dtype];
  if (length !== bytes.length || dims.some((size) => size < 0)) return undefined;
  const strides = isFortran === true && dims.length > 1 ? columnMajor(dims) : undefined;
  return (path) => ({
    dtype,
    dims,
    offset: 0,
    length,
    ...(strides ? { strides } : {}),
    source: heldBytes(path, bytes),
  });
}

/** Arrays of protocol 5: (bytes, dtype, shape, order), in the order of the fields of older ones. */
function frombuffer([bytes, type, shape, order]: readonly PickleValue[]): readonly PickleValue[] {
  return [1, shape ?? null, type ?? null, order === 'F', bytes ?? null];
}

function columnMajor(dims: readonly number[]): readonly number[] {
  return dims.map((_, axis) => elementCount(dims.slice(0, axis)));
}

/** A number, also one of NumPy's, of a type of one number: `numpy.float64(0.1)`, an enum's member, or a 1-element list. */
export function scalarOf(value: PickleValue | undefined): number | undefined {
  if (!(value instanceof PickleObject)) return numberOf(value);
  if (!/^numpy\.(_?core)\.multiarray\.scalar$/.test(value.type)) return undefined;
  const [type, bytes] = value.args;
  const dtype = dtypeOf(type);
  if (!dtype || !(bytes instanceof Uint8Array) || bytes.length !== bytesPerElement[dtype]) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'float64':
      return view.getFloat64(0, true);
    case 'float32':
      return view.getFloat32(0, true);
    case 'int64':
      return Number(view.getBigInt64(0, true));
    case 'int32':
      return view.getInt32(0, true);
    default:
      return undefined;
  }
}

/** The value of an enum's member, which pickles as its class called with the value; any other value itself. */
export function plainOf(value: PickleValue | undefined): PickleValue | undefined {
  if (!(value instanceof PickleObject) || isDict(value.state) || value.args.length !== 1) return value;
  const [only] = value.args;
  return typeof only === 'string' || typeof only === 'number' ? only : value;
}
