import { visit } from 'jsonc-parser';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';

/** The format's own limit for its header. */
const largestHeader = 100_000_000;

/** True for bytes that can begin a .safetensors file: a header length of sane size, then a JSON object. */
export function isSafetensors(head: Uint8Array): boolean {
  return head.length >= 9 && head[8] === 0x7b && headerLength(head) <= largestHeader;
}

/** The header as JSON, unchecked but for names that stand twice, and the byte at which data begin. */
export async function readHeader(source: ByteSource): Promise<{ entries: Record<string, unknown>; end: number }> {
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

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const saveAgain = "Save it again: safetensors.torch.save_file(model.state_dict(), 'step-1000.safetensors').";

export function malformed(source: ByteSource, place: string, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file: source.path, place, mend: saveAgain });
}

export function truncated(source: ByteSource, place: string, message: string): WhenceError {
  return new WhenceError('truncated-file', message, { file: source.path, place, mend: saveAgain });
}
