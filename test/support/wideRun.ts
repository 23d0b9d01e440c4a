import { node, type TinyModel } from './tinyModel';

/** Wide enough that the smallest budgets hold only some of its layers: three layers with three positions each, and one with one. */
export const wide: TinyModel = {
  example: [3, 4],
  weights: {
    'first.weight': [4, 800],
    'first.bias': [800],
    'second.weight': [800, 700],
    'third.weight': [700, 800],
    'fc.weight': [3, 800],
    'fc.bias': [3],
  },
  nodes: [
    node('MatMul', ['x', 'first.weight'], 'product'),
    node('Add', ['product', 'first.bias'], 'shifted'),
    node('Tanh', ['shifted'], 'active'),
    node('MatMul', ['active', 'second.weight'], 'second'),
    node('Tanh', ['second'], 'states'),
    node('MatMul', ['states', 'third.weight'], 'third'),
    node('Tanh', ['third'], 'last'),
    node('ReduceMean', ['last'], 'pooled', { axes: [1], keepdims: 0 }),
    node('Gemm', ['pooled', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
  ],
  classes: 3,
};
