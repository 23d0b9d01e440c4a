import { stringOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { explicitEquation } from '../../onnx/einsum';
import { asNeeded, type GradientRule, type GradientRules, unsupportedForm } from '../rule';

/**
 * Each operand's gradient is an Einsum of the output's gradient with the other operands. Letters that only this operand
 * has were summed over, so their gradient is the same all along.
 */
const einsum: GradientRule = (b, node, [g], needs) => {
  const dims = node.inputs.map((input) => b.dims(input));
  const { terms, result } = explicitEquation(stringOf(node, 'equation', ''), dims);
  if (terms.some((term) => new Set(term).size < term.length)) {
    throw unsupportedForm(
      b,
      node,
      'it takes a diagonal',
      'Take the diagonal by an index instead of a repeated letter.',
    );
  }
  const sizes = new Map<string, number>();
  terms.forEach((term, index) => {
    [...term].forEach((letter, axis) => {
      sizes.set(letter, Math.max(dims[index]![axis]!, sizes.get(letter) ?? 0));
    });
  });
  return asNeeded(needs, ...node.inputs.map((_, index) => () => operandGradient(b, node.inputs, index, g!)));

  function operandGradient(b: GraphBuilder, inputs: readonly string[], index: number, gradient: string): string {
    const others = terms.filter((_, other) => other !== index);
    const known = [result, ...others].join('');
    const term = [...terms[index]!];
    const reached = term.filter((letter) => known.includes(letter)).join('');
    const operands = [gradient, ...inputs.filter((_, other) => other !== index)];
    const partial = b.einsum(`${[result, ...others].join(',')}->${reached}`, operands);
    // Axes of length one that the others stretched are summed back, axes nobody else has are stretched.
    const aligned = b.reshape(
      partial,
      term.map((letter) => (known.includes(letter) ? b.dims(partial)[reached.indexOf(letter)]! : 1)),
    );
    const full = b.expand(
      aligned,
      term.map((letter) => sizes.get(letter)!),
    );
    return b.sumTo(full, dims[index]!);
  }
};

export const einsums: GradientRules = { Einsum: einsum };
