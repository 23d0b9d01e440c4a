import { visit } from 'jsonc-parser';
import { bytesPerElement, type DType } from '../../onnx/dtype';
import type { Tensor } from '../../onnx/runtime';
import { bytesOf } from '../../onnx/tensor';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { elementCount, formatDims, type TensorRef } from '../tensor';

/** What a checkpoint file holds: its tensors by name, unread, and what its writer noted. */
export interface CheckpointContent {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's own limit for its header. */
const largestHeader = 100_000_000;

const dtypeOfName: Readonly<Record<string, Exclude<DType, 'string'>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
};

/** True for bytes that can begin a .safetensors file: a header length of sane size, then a JSON object. */
export function isSafetensors(head: Uint8Array): boolean {
  return head.length >= 9 && head[8] === 0x7b && headerLength(head) <= largestHeader;
}

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

async function readHeader(source: ByteSource): Promise<{ entries: Record<string, unknown>; end: number }> {
  if (source.size < 8) {
    throw truncated(source, 'byte 0', `The file has ${source.size} bytes; its header's length alone takes 8.`);
  }
  const length = headerLength(await source.read(0, 8));
  if (length > largestHeader) {
    throw malformed(source, 'byte 0', `The file claims a header of ${length} bytes; it is no .safetensors file.`);
  }
  if (8 + length > source.size) {
    const rest = source.size - 8;
    throw truncated(source, 'byte 8', `The file claims a header of ${length} bytes, but only ${rest} bytes follow.`);
  }
  const text = decodeHeader(await source.read(8, length), source);
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (cause) {
    throw malformed(source, 'byte 8', `The file's header is not valid JSON (${(cause as Error).message}).`);
  }
  if (!isRecord(entries)) throw malformed(source, 'byte 8', "The file's header is not a JSON object.");
  const twice = duplicatedName(text);
  if (twice !== undefined) {
    throw malformed(source, `tensor ${twice}`, `The file's header describes tensor ${twice} twice.`);
  }
  return { entries, end: 8 + length };
}

function headerLength(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, 8);
  return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
}

function decodeHeader(bytes: Uint8Array, source: ByteSource): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(source, 'byte 8', "The file's header is not valid UTF-8.");
  }
}

/** JSON.parse keeps the last of equal keys in silence; two tensors of one name must not pass. */
function duplicatedName(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let twice: string | undefined;
  visit(text, {
    onObjectBegin: () => {
      depth++;
    },
    onObjectEnd: () => {
      depth--;
    },
    onObjectProperty: (name) => {
      if (depth === 1 && seen.has(name)) twice ??= name;
      if (depth === 1) seen.add(name);
    },
  });
  return twice;
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

/** A .safetensors file in chunks: the header, padded so that the data begin at a multiple of 8, then each tensor's own memory. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of sortByAlignment(tensors)) {
    const bytes = bytesOf(tensor);
    header[name] = {
      dtype: nameOfDtype(tensor.dtype),
      shape: tensor.dims,
      data_offsets: [offset, offset + bytes.byteLength],
    };
    chunks.push(bytes);
    offset += bytes.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setUint32(0, padded, true);
  new DataView(head.buffer).setUint32(4, 0, true);
  head.set(text, 8);
  return [head, ...chunks];
}

/** Wide elements first, so that every tensor is aligned to its element without holes. */
function sortByAlignment(tensors: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  return [...tensors].sort(
    ([nameA, a], [nameB, b]) =>
      b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (nameA < nameB ? -1 : nameA > nameB ? 1 : 0),
  );
}

function nameOfDtype(dtype: DType): string {
  const name = Object.keys(dtypeOfName).find((key) => dtypeOfName[key] === dtype);
  if (!name) throw new WhenceError('unsupported-dtype', `Safetensors cannot hold tensors of type ${dtype}.`);
  return name;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const saveAgain = "Save it again: safetensors.torch.save_file(model.state_dict(), 'step-1000.safetensors').";

function malformed(source: ByteSource, place: string, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file: source.path, place, mend: saveAgain });
}

function truncated(source: ByteSource, place: string, message: string): WhenceError {
  return new WhenceError('truncated-file', message, { file: source.path, place, mend: saveAgain });
}
