import type { GradientCheck } from '../gradientCheck';
import { f64, string } from './tensors';

const equation = (text: string) => ({ equation: string(text) });

export const einsum: readonly GradientCheck[] = [
  { op: 'Einsum', what: 'a product', inputs: { a: f64([2, 3]), b: f64([3, 4]) }, attributes: equation('ij,jk->ik') },
  {
    op: 'Einsum',
    what: 'attention scores',
    inputs: { a: f64([2, 3, 2, 4]), b: f64([2, 5, 2, 4]) },
    attributes: equation('bihd,bjhd->bhij'),
  },
  {
    op: 'Einsum',
    what: 'a batch behind an ellipsis',
    inputs: { a: f64([5, 3, 4]), b: f64([5, 4, 2]) },
    attributes: equation('...ij,...jk->...ik'),
  },
  {
    op: 'Einsum',
    what: 'the result implied',
    inputs: { a: f64([2, 3]), b: f64([3, 4]) },
    attributes: equation('ij,jk'),
  },
  {
    op: 'Einsum',
    what: 'a letter summed alone',
    inputs: { a: f64([2, 3]), b: f64([2]) },
    attributes: equation('ij,i->i'),
  },
  { op: 'Einsum', what: 'to a scalar', inputs: { a: f64([3]), b: f64([3]) }, attributes: equation('i,i->') },
  { op: 'Einsum', what: 'one operand turned', inputs: { a: f64([2, 3, 4]) }, attributes: equation('ijk->kij') },
  {
    op: 'Einsum',
    what: 'three operands',
    inputs: { a: f64([2, 3]), b: f64([3, 4]), c: f64([4, 2]) },
    attributes: equation('ij,jk,kl->il'),
  },
];
