import { intOf, stringOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { asNeeded, type GradientRule, type GradientRules, unsupportedForm } from '../rule';
import { tupleIndices } from './tupleIndices';

/** Where a scatter writes and what it reads from there, in either form that ONNX spells indices in. */
interface Places {
  /** The elements of a value of the data's shape at the places: of the updates' shape. */
  readonly read: (value: string) => string;
  /** `value` with the updates written over, or added, at the places. */
  readonly write: (value: string, updates: string, kind: 'none' | 'add') => string;
}

type PlacesOf = (b: GraphBuilder, data: string, indices: string, updates: string, axis: number) => Places;

const alongAxis: PlacesOf = (b, _data, indices, _updates, axis) => ({
  read: (value) => b.gatherElements(value, indices, axis),
  write: (value, updates, kind) => b.scatterElements(value, indices, updates, axis, kind),
});

const byTuples: PlacesOf = (b, data, indices, updates) => {
  const dims = b.dims(data);
  const { flat, rows } = tupleIndices(b, indices, dims, 0);
  const count = b.dims(rows)[0]!;
  const places = b.expand(b.reshape(rows, [count, 1]), [count, flat[1]!]);
  return {
    read: (value) => b.reshape(b.gather(b.reshape(value, flat), rows, 0), b.dims(updates)),
    write: (value, written, kind) => {
      const rowsWritten = b.reshape(written, [count, flat[1]!]);
      return b.reshape(b.scatterElements(b.reshape(value, flat), places, rowsWritten, 0, kind), dims);
    },
  };
};

/**
 * What is overwritten has no gradient; what is added to keeps its own. Of the largest or smallest of an element and its
 * updates, those that equal it share the gradient, as in PyTorch's scatter_reduce.
 */
function scatter(placesOf: PlacesOf): GradientRule {
  return (b, node, [g], needs) => {
    const [data, indices, updates] = node.inputs as [string, string, string];
    const places = placesOf(b, data, indices, updates, intOf(node, 'axis', 0));
    const kind = stringOf(node, 'reduction', 'none');
    const zeros = (value: string): string => b.zeros(b.typeOf(value));
    if (kind === 'none' || kind === 'add') {
      const kept = (): string => (kind === 'add' ? g! : places.write(g!, zeros(updates), 'none'));
      return asNeeded(
        needs,
        kept,
        () => g!,
        () => places.read(g!),
      );
    }
    if (kind !== 'max' && kind !== 'min') {
      throw unsupportedForm(b, node, `it reduces by ${kind}`, 'Take the exponential of a sum of logarithms instead.');
    }
    const result = node.outputs[0]!;
    const hits = b.cast(b.equal(data, result), b.dtype(data));
    const hitsBelow = b.cast(b.equal(updates, places.read(result)), b.dtype(data));
    const share = b.div(g!, places.write(hits, hitsBelow, 'add'));
    return asNeeded(
      needs,
      () => b.mul(share, hits),
      () => g!,
      () => b.mul(places.read(share), hitsBelow),
    );
  };
}

export const scattering: GradientRules = { ScatterElements: scatter(alongAxis), ScatterND: scatter(byTuples) };
