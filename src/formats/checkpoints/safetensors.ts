import { bytesPerElement } from '../../onnx/dtype';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { elementCount, formatDims, type TensorRef } from '../tensor';
import type { CheckpointContent } from './content';
import { dtypeOfName } from './safetensorsDtypes';
import { isRecord, malformed, readHeader, truncated } from './safetensorsHeader';

export type { CheckpointContent } from './content';
export { encodeSafetensors } from './safetensorsEncode';
export { isSafetensors } from './safetensorsHeader';

/**
 * Reads a .safetensors header: https://github.com/huggingface/safetensors. Every offset is checked before any tensor is
 * read, so that a lying header fails here: `truncated-file`, `malformed-file` or `unsupported-dtype`.
 */
export async function readSafetensors(source: ByteSource): Promise<CheckpointContent> {
  const header = await readHeader(source);
  const metadata: Record<string, string> = {};
  const tensors: TensorRef[] = [];
  const dataStart = header.end;
  for (const [name, entry] of Object.entries(header.entries)) {
    if (name === '__metadata__') Object.assign(metadata, checkMetadata(entry, source));
    else tensors.push(readEntry(name, entry, source, dataStart));
  }
  checkLayout(tensors, source, dataStart);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function checkMetadata(entry: unknown, source: ByteSource): Record<string, string> {
  if (!isRecord(entry) || !Object.values(entry).every((value) => typeof value === 'string')) {
    throw malformed(source, '__metadata__', 'The metadata in the header are not texts.');
  }
  return entry as Record<string, string>;
}

function readEntry(name: string, entry: unknown, source: ByteSource, dataStart: number): TensorRef {
  const place = `tensor ${name}`;
  if (!isRecord(entry)) throw malformed(source, place, `The header's entry for tensor ${name} is not an object.`);
  const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
  if (typeof dtypeName !== 'string') throw malformed(source, place, `The header gives tensor ${name} no dtype.`);
  const dtype = Object.hasOwn(dtypeOfName, dtypeName) ? dtypeOfName[dtypeName] : undefined;
  if (!dtype) {
    throw new WhenceError(
      'unsupported-dtype',
      `Tensor ${name} has the type ${dtypeName}, which Whence does not read.`,
      {
        file: source.path,
        place,
        mend: 'Save the weights as float32, float64, float16 or bfloat16.',
      },
    );
  }
  if (!isSizes(shape)) throw malformed(source, place, `The header's shape of tensor ${name} is not a list of sizes.`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw malformed(source, place, `The header's data_offsets of tensor ${name} are not two rising positions.`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = elementCount(shape) * bytesPerElement[dtype];
  if (end - begin !== expected) {
    throw malformed(
      source,
      place,
      `Tensor ${name} of shape ${formatDims(shape)} and type ${dtypeName} needs ${expected} bytes, the header gives it ${end - begin}.`,
    );
  }
  return { name, dtype, dims: shape, source, offset: dataStart + begin, length: expected };
}

/** The format allows neither overlaps nor holes nor a tail: each byte of the file belongs to one tensor. */
function checkLayout(tensors: readonly TensorRef[], source: ByteSource, dataStart: number): void {
  let end = dataStart;
  let previous: TensorRef | undefined;
  for (const tensor of [...tensors].sort((a, b) => a.offset - b.offset || a.length - b.length)) {
    const place = `tensor ${tensor.name}`;
    if (tensor.offset < end) {
      throw malformed(source, place, `Tensor ${tensor.name} overlaps tensor ${previous?.name} in the file.`);
    }
    if (tensor.offset > end) {
      throw malformed(source, place, `${tensor.offset - end} bytes before tensor ${tensor.name} belong to no tensor.`);
    }
    end = tensor.offset + tensor.length;
    if (end > source.size) {
      const message = `Tensor ${tensor.name} ends at byte ${end}, but the file has only ${source.size} bytes.`;
      throw truncated(source, place, message);
    }
    previous = tensor;
  }
  if (end < source.size) {
    throw malformed(source, `byte ${end}`, `${source.size - end} bytes at the file's end belong to no tensor.`);
  }
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
