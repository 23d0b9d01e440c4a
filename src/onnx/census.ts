import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { WhenceError } from '../protocol/errors';
import { ModelProtoSchema, NodeProtoSchema, StringStringEntryProtoSchema, TensorProtoSchema } from './proto/onnx_pb';

/**
 * What a file may hold of each kind of thing, before any of it becomes an object. A message of two bytes takes hundreds in
 * memory, so a file of fair size could otherwise fill it; and the runtime's own time grows with the square of some.
 */
const most = {
  nodes: 100_000,
  tensors: 20_000,
  messages: 2_000_000,
  /** Texts, and whole numbers in lists. */
  elements: 2 ** 22,
  /** Floating numbers in lists. */
  floats: 2 ** 26,
} as const;

/** Bytes of a name. */
const longestName = 4096;

const wire = { varint: 0, bit64: 1, bytes: 2, bit32: 5 } as const;

/**
 * Walks through a model file without decoding it.
 * @throws WhenceError `malformed-file` for bytes that are no protocol buffer to their end, and for more of anything than any
 * real model holds
 */
export function takeCensus(bytes: Uint8Array, file: string): void {
  const counts = { nodes: 0, tensors: 0, messages: 0, elements: 0, floats: 0 };
  const add = (kind: keyof typeof counts, count: number) => {
    counts[kind] += count;
    if (counts[kind] > most[kind]) {
      throw new WhenceError('malformed-file', `The model holds more than ${most[kind]} ${kind}.`, {
        file,
        place: `byte ${reader.at}`,
        mend: 'Export the model again, without unrolling loops.',
      });
    }
  };
  const reader = new Reader(bytes, file);
  const open: { readonly end: number; readonly fields: ReadonlyMap<number, DescField> }[] = [];
  const enter = (message: DescMessage, length: number) => {
    open.push({ end: reader.at + length, fields: fieldsOf(message) });
    add('messages', 1);
    if (message === NodeProtoSchema) add('nodes', 1);
    if (message === TensorProtoSchema) add('tensors', 1);
  };
  enter(ModelProtoSchema, bytes.length);
  for (let inner = open.at(-1); inner; inner = open.at(-1)) {
    if (reader.at >= inner.end) {
      open.pop();
      continue;
    }
    const { number, type } = reader.tag();
    const field = inner.fields.get(number);
    if (type !== wire.bytes) {
      if (field?.fieldKind === 'list') add(isFloating(field) ? 'floats' : 'elements', 1);
      reader.skip(type, inner.end);
      continue;
    }
    const length = reader.length(inner.end);
    if (field?.message) {
      enter(field.message, length);
      continue;
    }
    if (field?.fieldKind === 'list') {
      if (field.listKind === 'scalar' && isPackable(field.scalar)) {
        add(isFloating(field) ? 'floats' : 'elements', reader.packed(field.scalar, length));
      } else {
        add('elements', 1);
      }
    }
    if (isName(field) && length > longestName) throw tooLong(length, reader.at, file);
    reader.at += length;
  }
}

class Reader {
  at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
  ) {}

  tag(): { readonly number: number; readonly type: number } {
    const start = this.at;
    const key = this.varint();
    const [number, type] = [Math.floor(key / 8), key % 8];
    if (number === 0 || ![0, 1, 2, 5].includes(type)) throw this.broken(start);
    return { number, type };
  }

  /** The length of what follows, which lies within the message around it. */
  length(end: number): number {
    const start = this.at;
    const length = this.varint();
    if (this.at + length > end) throw this.broken(start);
    return length;
  }

  skip(type: number, end: number): void {
    const start = this.at;
    if (type === wire.varint) this.varint();
    else this.at += type === wire.bit64 ? 8 : 4;
    if (this.at > end) throw this.broken(start);
  }

  /** How many numbers the next `length` bytes hold. */
  packed(scalar: ScalarType, length: number): number {
    if (scalar === ScalarType.FLOAT) return length / 4;
    if (scalar === ScalarType.DOUBLE) return length / 8;
    let count = 0;
    for (let at = this.at; at < this.at + length; at++) if (this.bytes[at]! < 0x80) count++;
    return count;
  }

  private varint(): number {
    const start = this.at;
    let value = 0;
    for (let place = 1; place < 2 ** 70; place *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw this.broken(start);
      value += (byte % 128) * place;
      if (byte < 128) return value;
    }
    throw this.broken(start);
  }

  private broken(at: number): WhenceError {
    return new WhenceError('malformed-file', 'This is not a whole ONNX model: it is no protocol buffer to its end.', {
      file: this.file,
      place: `byte ${at}`,
      mend: 'Copy the file again, or export the model again.',
    });
  }
}

const known = new Map<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(message: DescMessage): ReadonlyMap<number, DescField> {
  const fields = known.get(message) ?? new Map(message.fields.map((field) => [field.number, field]));
  known.set(message, fields);
  return fields;
}

function isFloating(field: DescField): boolean {
  return field.scalar === ScalarType.FLOAT || field.scalar === ScalarType.DOUBLE;
}

function isPackable(scalar: ScalarType): boolean {
  return scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES;
}

/** Texts that name something; what a node's metadata say (where it was traced) may be long. */
function isName(field: DescField | undefined): boolean {
  return field?.scalar === ScalarType.STRING && field.parent !== StringStringEntryProtoSchema;
}

function tooLong(length: number, at: number, file: string): WhenceError {
  return new WhenceError('malformed-file', `A name in the model has ${length} bytes.`, {
    file,
    place: `byte ${at}`,
    mend: 'Export the model again.',
  });
}
