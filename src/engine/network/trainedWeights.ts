import type { SiteSearch } from '../../curvature/site';
import type { TrainedWeight } from '../../curvature/weightOrigin';
import type { Binding } from '../../formats/bind';
import { describeExpression, dimsOf, type Expression, layerTensorsOf } from '../../formats/binding/expression';

/**
 * What bindings say of a graph's weights to those who look for sites. The bias of a normalisation that is folded behind a layer
 * without a bias is no weight of a layer: only the normalisation moves it.
 */
export function searchedWeights(bindings: readonly Binding[]): Pick<SiteSearch, 'trained' | 'scaled'> {
  const own = bindings.filter(({ value }) => value.kind !== 'folded-bias' || value.of !== undefined);
  return {
    trained: new Map(own.map(({ initializer, value }) => [initializer, trainedWeight(value)])),
    scaled: new Set(
      bindings.filter(({ value }) => value.kind === 'folded-weight').map(({ initializer }) => initializer),
    ),
  };
}

/** Two initializers that exporters made of one tensor have one key, whichever of them is transposed. */
function trainedWeight(value: Expression): TrainedWeight {
  const tensors = [...new Set(layerTensorsOf(value))];
  const { inner, turned } = unturned(value);
  return {
    key: `${describeExpression(inner)} ${dimsOf(inner)
      .filter((dim) => dim !== 1)
      .join()}`,
    turned,
    tensors,
    part: isPart(value),
    repeats: repeats(value),
  };
}

function isPart(value: Expression): boolean {
  return within(value, ({ kind }) => kind === 'slice' || kind === 'rows');
}

function repeats(value: Expression): boolean {
  return within(value, (part) => part.kind === 'rows' && new Set(part.rows).size < part.rows.length);
}

/** Whether an expression or one that it is made of is such a one. */
function within(value: Expression, is: (part: Expression) => boolean): boolean {
  if (is(value) || value.kind === 'tensor') return is(value);
  const parts = value.kind === 'concat' ? value.of : [value.of];
  return parts.some((part) => part !== undefined && within(part, is));
}

function unturned(value: Expression): { readonly inner: Expression; readonly turned: boolean } {
  if (value.kind !== 'transpose' || value.perm.length !== 2) return { inner: value, turned: false };
  const { inner, turned } = unturned(value.of);
  return { inner, turned: !turned };
}
