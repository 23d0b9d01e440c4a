import type { Binding } from '../../formats/bind';
import { isFloat } from '../../onnx/dtype';
import type { Initializer } from '../../onnx/graph';
import { bytesOf } from '../../onnx/tensor';
import { withInputs } from '../../onnx/weightInputs';
import { WhenceError } from '../../protocol/errors';
import type { OpenRun } from '../run/openRun';

/** Most bytes of other constants that a graph carries: an ONNX file of 2 GB cannot be written. */
const mostConstantBytes = 2 ** 30;

/**
 * The run with a model that every graph can be made from. Weights that no checkpoint fills (an embedding that was never
 * trained, what an adapter was put on) are inputs too and stay in their file; the other constants are in memory.
 */
export async function withFrozen(run: OpenRun, bindings: readonly Binding[]): Promise<OpenRun> {
  const bound = new Set(bindings.map(({ initializer }) => initializer));
  const elsewhere = [...run.model.graph.initializers.values()].filter(({ name, bytes }) => !bytes && !bound.has(name));
  const frozen = elsewhere.filter(({ dtype }) => isFloat(dtype) && dtype !== 'bfloat16');
  const opened = withInputs(run.model, new Set(frozen.map(({ name }) => name)));
  const initializers = new Map<string, Initializer>(opened.graph.initializers);
  let size = 0;
  for (const one of elsewhere.filter(({ name }) => initializers.has(name))) {
    const bytes = bytesOf(await run.readInitializer(one));
    size += bytes.byteLength;
    if (size > mostConstantBytes) throw tooMany(run.model.file, one);
    initializers.set(one.name, { name: one.name, dtype: one.dtype, dims: one.dims, bytes });
  }
  return { ...run, frozen, model: { ...opened, graph: { ...opened.graph, initializers } } };
}

/** Names of what is fed in place of a constant: weights of checkpoints and frozen ones. */
export function weightNames({ frozen }: OpenRun, bindings: readonly Binding[]): ReadonlySet<string> {
  return new Set([...bindings.map(({ initializer }) => initializer), ...frozen.map(({ name }) => name)]);
}

function tooMany(file: string, { name, dtype }: Initializer): WhenceError {
  return new WhenceError('unsupported-format', `The model holds more than 1 GB of constants of type ${dtype}.`, {
    file,
    place: `tensor ${name}`,
    mend: 'Export the model in float32: model.float().',
  });
}
