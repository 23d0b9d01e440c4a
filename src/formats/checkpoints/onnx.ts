import { decodeWeights } from '../../onnx/decodeWeights';
import { product } from '../../onnx/dims';
import { bytesPerElement } from '../../onnx/dtype';
import type { Initializer } from '../../onnx/graph';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource, Files } from '../bytes';
import { heldBytes } from '../heldBytes';
import type { TensorRef } from '../tensor';
import type { CheckpointContent } from './content';

/** Protocol buffers end here. */
const largestModel = 2 ** 31;
const mend = 'Copy the file again, or export the model again.';

/** Whether bytes can begin an ONNX model: its IR version first, then another of its fields. */
export function isOnnx(head: Uint8Array): boolean {
  return (
    head[0] === 0x08 &&
    head[1]! >= 3 &&
    head[1]! <= 0x20 &&
    [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42, 0x72].includes(head[2]!)
  );
}

/** The weights of an ONNX file as a checkpoint: how models of Keras, JAX and others bring theirs. */
export async function readOnnx(source: ByteSource, files?: Files): Promise<CheckpointContent> {
  if (source.size > largestModel) {
    throw new WhenceError('malformed-file', `An ONNX model cannot take ${source.size} bytes.`, {
      file: source.path,
      place: `byte ${largestModel}`,
      mend,
    });
  }
  const bytes = await source.read(0, source.size);
  const tensors = new Map<string, TensorRef>();
  for (const initializer of decodeWeights(bytes, source.path)) {
    const { name } = initializer;
    if (tensors.has(name)) throw refuse(source, name, `The model holds two weights called ${name}.`);
    tensors.set(name, await refOf(initializer, bytes, source, files));
  }
  if (tensors.size > 0) return { tensors, metadata: {} };
  throw new WhenceError('unsupported-format', 'The ONNX model holds no weights of its own.', {
    file: source.path,
    mend: 'Export it with its weights as initializers.',
  });
}

async function refOf(initializer: Initializer, file: Uint8Array, source: ByteSource, files: Files | undefined) {
  const { name, dtype, dims, bytes, external } = initializer;
  const length = product(dims) * bytesPerElement[dtype === 'string' ? 'uint8' : dtype];
  if (bytes) {
    const isWithin = bytes.buffer === file.buffer;
    const place = isWithin
      ? { source, offset: bytes.byteOffset - file.byteOffset }
      : { source: heldBytes(source.path, bytes), offset: 0 };
    return { name, dtype, dims, length: bytes.byteLength, ...place };
  }
  if (!external || !files) throw refuse(source, name, `The weight ${name} is in another file, which was not given.`);
  const path = files.join(files.dirname(source.path), external.location);
  if (!(await files.exists(path))) {
    throw new WhenceError(
      'not-found',
      `The weight ${name} is in ${external.location}, which is not beside the model.`,
      {
        file: source.path,
        place: `tensor ${name}`,
        mend: 'Copy the model together with its data.',
      },
    );
  }
  const data = await files.open(path);
  if ((external.length ?? length) !== length || external.offset + length > data.size) {
    throw refuse(source, name, `The weight ${name} does not fit into ${external.location} of ${data.size} bytes.`);
  }
  return { name, dtype, dims, length, offset: external.offset, source: data };
}

function refuse(source: ByteSource, name: string, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file: source.path, place: `tensor ${name}`, mend });
}
