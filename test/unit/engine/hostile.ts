import { readFile, writeFile } from 'node:fs/promises';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type GraphProto, type ModelProto, ModelProtoSchema, type TensorProto } from '../../../src/onnx/proto/onnx_pb';
import type { ErrorCode } from '../../../src/protocol/errors';
import type { BadInput } from './badInputs';

type Spoil = BadInput['spoil'];

/** What is done to a model, and what its user is told: the code, what the text holds, the file where that is another. */
export type Hostile = readonly [name: string, spoil: Spoil, code: ErrorCode, says: RegExp, file?: string];

/** Rewrites a model as a message, with all that our own encoder would never write. */
export const edit =
  (change: (graph: GraphProto, model: ModelProto) => void): Spoil =>
  async (path) => {
    const model = fromBinary(ModelProtoSchema, await readFile(path));
    change(model.graph!, model);
    await writeFile(path, toBinary(ModelProtoSchema, model));
  };

export function weight(graph: GraphProto, name: string): TensorProto {
  return graph.initializer.find((tensor) => tensor.name === name)!;
}

/** A length as protocol buffers write it. */
export function varint(length: number): number[] {
  return length < 128 ? [length] : [(length % 128) + 128, ...varint(Math.floor(length / 128))];
}
