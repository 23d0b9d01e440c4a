import { isZip } from '../zip';

/** What a file that is of no format seems to be, and how its weights come to one that is. */
export interface ForeignFile {
  readonly kind: string;
  readonly mend: string;
}

const saveAgain = "Save checkpoints with torch.save(model.state_dict(), 'step-1000.pt') or as .safetensors.";
const loadAgain = `Load it with the library that wrote it. ${saveAgain}`;
const asOnnx = 'Export the model to ONNX at each checkpoint: the ONNX files are then the checkpoints.';

/** Signatures of formats that people keep weights in and that are not read, with the byte at which each stands. */
const signatures: readonly (readonly [string, number, ForeignFile])[] = [
  ['ustar', 257, { kind: 'a tar archive, such as torch.save wrote before 2017', mend: loadAgain }],
  ['\x89HDF\r\n', 0, { kind: 'an HDF5 file, such as Keras writes', mend: asOnnx }],
  ['\x93NUMPY', 0, { kind: 'a NumPy array', mend: saveAgain }],
  ['GGUF', 0, { kind: 'a GGUF file, whose weights are mostly quantized', mend: loadAgain }],
  ['\x1f\x8b', 0, { kind: 'packed with gzip', mend: 'Unpack it: gunzip FILE.' }],
  ['BZh', 0, { kind: 'packed with bzip2', mend: 'Unpack it: bunzip2 FILE.' }],
];

/** @param head the file's first bytes, up to 512 */
export function foreignFile(head: Uint8Array): ForeignFile | undefined {
  const found = signatures.find(([text, at]) =>
    [...text].every((one, index) => head[at + index] === one.charCodeAt(0)),
  );
  if (found) return found[2];
  return isZip(head) ? { kind: 'a zip archive that torch.save did not write', mend: loadAgain } : undefined;
}

export const unknownMend = saveAgain;
