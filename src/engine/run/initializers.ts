import type { ReadInitializer } from '../../formats/binding/values';
import type { ByteSource, Files } from '../../formats/bytes';
import { product } from '../../onnx/dims';
import { bytesPerElement } from '../../onnx/dtype';
import type { Initializer, Model } from '../../onnx/graph';
import { tensorFromBytes } from '../../onnx/tensor';
import { WhenceError } from '../../protocol/errors';

const mend = 'Copy the model again with all the files beside it, or export it again.';

/** Absolute paths of the files beside the model that hold its larger tensors, as exporters write them by default. */
export function externalFiles({ graph, file }: Model, files: Files): string[] {
  const locations = [...graph.initializers.values()].flatMap(({ external }) => (external ? [external.location] : []));
  const paths = [...new Set(locations)].map((location) => files.join(files.dirname(file), location));
  return paths.filter((path) => path !== file);
}

/**
 * Reads a model's initializers, from memory or from the file that each refers to. Nothing is kept.
 *
 * The reader fails with `malformed-file` for a range that is not the tensor's or a file that lies elsewhere by a link, with
 * `truncated-file` for a range beyond the file's end.
 */
export function initializerReader(model: Model, files: Files): ReadInitializer {
  const sources = new Map<string, Promise<ByteSource>>();
  const open = (location: string): Promise<ByteSource> => {
    const known = sources.get(location) ?? openBeside(model, location, files);
    sources.set(location, known);
    return known;
  };
  return async (initializer) => {
    const { dtype, dims, bytes, external } = initializer;
    if (bytes || !external) return tensorFromBytes(dtype, dims, bytes ?? new Uint8Array());
    const length = checkedLength(initializer, model.file);
    const source = await open(external.location);
    if (external.offset + length <= source.size) {
      return tensorFromBytes(dtype, dims, await source.read(external.offset, length));
    }
    throw new WhenceError(
      'truncated-file',
      `The file ends at byte ${source.size}; the model's tensor ${initializer.name} goes to byte ${external.offset + length}.`,
      { file: source.path, place: `tensor ${initializer.name}`, mend },
    );
  };
}

function checkedLength({ name, dtype, dims, external }: Initializer, file: string): number {
  const needed = product(dims) * (dtype === 'string' ? 0 : bytesPerElement[dtype]);
  const given = external?.length ?? needed;
  if (given === needed) return needed;
  throw new WhenceError(
    'malformed-file',
    `A ${dtype} tensor of shape [${dims.join(', ')}] needs ${needed} bytes; its external data has ${given}.`,
    { file, place: `tensor ${name}`, mend },
  );
}

/** A link may lead to where the model's own file really lies (as in caches of downloads), and nowhere else. */
async function openBeside({ file }: Model, location: string, files: Files): Promise<ByteSource> {
  const folder = files.dirname(file);
  const path = files.join(folder, location);
  const source = await files.open(path);
  const real = await files.resolveLinks(path);
  const homes = [await files.resolveLinks(folder), files.dirname(await files.resolveLinks(file))];
  if (homes.some((home) => !/^(\.\.(\/|$)|\/|[A-Za-z]:)/.test(files.relative(home, real)))) return source;
  throw new WhenceError('malformed-file', `The external data "${location}" is a link out of the model's folder.`, {
    file,
    place: `external data ${location}`,
    mend: "Keep external data in the model's own folder.",
  });
}
