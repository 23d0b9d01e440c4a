import { fromBinary } from '@bufbuild/protobuf';
import { WhenceError } from '../protocol/errors';
import { takeCensus } from './census';
import { dtypeOfNumber } from './dataType';
import { decodeInitializer } from './decodeTensor';
import type { Initializer } from './graph';
import { ModelProtoSchema } from './proto/onnx_pb';

/**
 * The weights of an ONNX file, whatever its operators and opset are; types that Whence does not know are left out. Their bytes
 * are views of `bytes`.
 * @throws WhenceError `malformed-file` for bytes that are no ONNX model, or whose weights contradict their shapes
 */
export function decodeWeights(bytes: Uint8Array, file: string): readonly Initializer[] {
  takeCensus(bytes, file);
  const mend = 'Copy the file again, or export the model again.';
  try {
    const { graph } = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
    const known = (graph?.initializer ?? []).filter(
      ({ dataType }) => (dtypeOfNumber(dataType) ?? 'string') !== 'string',
    );
    return known.map((tensor) => decodeInitializer(tensor, file));
  } catch (cause) {
    if (cause instanceof WhenceError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WhenceError('malformed-file', `This is not a whole ONNX model (${reason}).`, { file, mend }, { cause });
  }
}
