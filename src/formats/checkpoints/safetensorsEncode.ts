import type { DType } from '../../onnx/dtype';
import type { Tensor } from '../../onnx/runtime';
import { bytesOf } from '../../onnx/tensor';
import { WhenceError } from '../../protocol/errors';
import { dtypeOfName } from './safetensorsDtypes';

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
