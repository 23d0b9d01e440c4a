import { WhenceError } from '../protocol/errors';
import { dtypeOfNumber } from './dataType';
import { product } from './dims';
import { bytesPerElement, type DType } from './dtype';
import type { Initializer } from './graph';
import { TensorProto_DataLocation as DataLocation, type TensorProto } from './proto/onnx_pb';
import type { Tensor } from './runtime';
import { bytesOf, tensorFromBytes } from './tensor';

const longestLocation = 4096;
const reexport = 'Copy the file again, or export the model again.';

/**
 * @throws WhenceError `unsupported-dtype` for element types beyond `DType` and strings; `malformed-file` where shape and
 * data disagree.
 */
export function decodeInitializer(proto: TensorProto, file: string): Initializer {
  const place = `tensor ${proto.name}`;
  if (!proto.name) {
    throw new WhenceError('malformed-file', 'The graph holds a weight without a name.', { file, mend: reexport });
  }
  const { dtype, dims } = typeOf(proto, file, place);
  if (proto.dataLocation === DataLocation.EXTERNAL) {
    return { name: proto.name, dtype, dims, external: externalRange(proto, file, place) };
  }
  return { name: proto.name, dtype, dims, bytes: bytesIn(proto, dtype, dims, file, place) };
}

/** A tensor within a node. Its data must be in the model itself. */
export function decodeTensor(proto: TensorProto, file: string, place: string): Tensor {
  const { dtype, dims } = typeOf(proto, file, place);
  if (proto.dataLocation === DataLocation.EXTERNAL) {
    throw new WhenceError('unsupported-format', "A node's own tensor lies in another file.", {
      file,
      place,
      mend: 'Save the model in one file.',
    });
  }
  return tensorFromBytes(dtype, dims, bytesIn(proto, dtype, dims, file, place));
}

function typeOf(proto: TensorProto, file: string, place: string): { dtype: DType; dims: readonly number[] } {
  const dtype = dtypeOfNumber(proto.dataType);
  if (!dtype || dtype === 'string') {
    throw new WhenceError('unsupported-dtype', `A tensor has ONNX's element type ${proto.dataType}.`, {
      file,
      place,
      mend: 'Export the model with floating-point weights.',
    });
  }
  const dims = proto.dims.map(Number);
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || !Number.isSafeInteger(product(dims) * 8)) {
    const shape = dims.slice(0, 16).join(', ');
    throw new WhenceError('malformed-file', `A tensor has the shape [${shape}].`, { file, place, mend: reexport });
  }
  return { dtype, dims };
}

function bytesIn(proto: TensorProto, dtype: DType, dims: readonly number[], file: string, place: string): Uint8Array {
  const length = product(dims);
  const width = dtype === 'string' ? 0 : bytesPerElement[dtype];
  const bytes = proto.rawData.byteLength > 0 ? proto.rawData : bytesOfFields(proto, dtype);
  if (bytes.byteLength !== length * width) {
    throw new WhenceError(
      'malformed-file',
      `A ${dtype} tensor of shape [${dims.join(', ')}] needs ${length * width} bytes and has ${bytes.byteLength}.`,
      { file, place, mend: reexport },
    );
  }
  return bytes;
}

/** The typed fields that ONNX offers beside raw bytes; narrow integers and halves travel in `int32_data`. */
function bytesOfFields(proto: TensorProto, dtype: DType): Uint8Array {
  switch (dtype) {
    case 'float32':
      return view(Float32Array.from(proto.floatData));
    case 'float64':
      return view(Float64Array.from(proto.doubleData));
    case 'int64':
      return view(BigInt64Array.from(proto.int64Data));
    case 'uint64':
      return view(BigUint64Array.from(proto.uint64Data));
    case 'uint32':
      return view(Uint32Array.from(proto.uint64Data, Number));
    case 'int32':
      return view(Int32Array.from(proto.int32Data));
    case 'int16':
      return view(Int16Array.from(proto.int32Data));
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return view(Uint16Array.from(proto.int32Data));
    case 'int8':
      return view(Int8Array.from(proto.int32Data));
    default:
      return view(Uint8Array.from(proto.int32Data));
  }
}

function view(data: Tensor['data']): Uint8Array {
  return bytesOf({ dtype: 'uint8', dims: [], data });
}

function externalRange(proto: TensorProto, file: string, place: string): NonNullable<Initializer['external']> {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const offset = Number(entries.get('offset') ?? 0);
  const length = entries.has('length') ? Number(entries.get('length')) : undefined;
  const parts = location.split(/[\\/]/);
  // ONNX wants a path below the model's folder; anything else could make us read what the model has no business with.
  const outside =
    location === '' ||
    location.length > longestLocation ||
    parts[0] === '' ||
    parts.includes('..') ||
    /^[A-Za-z]:/.test(location);
  const lengths = [offset, length ?? 0];
  if (outside || !lengths.every((number) => Number.isSafeInteger(number) && number >= 0)) {
    throw new WhenceError(
      'malformed-file',
      `A tensor refers to the external data "${location.slice(0, 200)}" at byte ${offset}.`,
      {
        file,
        place,
        mend: "Keep external data in the model's own folder.",
      },
    );
  }
  return { location, offset, ...(length === undefined ? {} : { length }) };
}
