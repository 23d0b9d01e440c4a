import { WhenceError } from '../protocol/errors';

/** The shape of an Einsum's result; letters and one arrow only, no ellipsis. */
export function einsumDims(equation: string, operands: readonly (readonly number[])[]): readonly number[] {
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const terms = left!.split(',');
  if (right === undefined || terms.length !== operands.length || equation.includes('.')) {
    throw new WhenceError('internal', `The Einsum equation ${equation} does not fit ${operands.length} operands.`);
  }
  const sizes = new Map<string, number>();
  terms.forEach((term, index) => {
    const dims = operands[index]!;
    if (term.length !== dims.length) throw mismatch(equation, operands);
    [...term].forEach((letter, axis) => {
      const known = sizes.get(letter) ?? 1;
      const dim = dims[axis]!;
      if (known !== dim && known !== 1 && dim !== 1) throw mismatch(equation, operands);
      sizes.set(letter, known === 1 ? dim : known);
    });
  });
  return [...right].map((letter) => {
    const size = sizes.get(letter);
    if (size === undefined) throw mismatch(equation, operands);
    return size;
  });
}

function mismatch(equation: string, operands: readonly (readonly number[])[]): WhenceError {
  const shapes = operands.map((dims) => `[${dims.join(', ')}]`).join(', ');
  return new WhenceError('shape-mismatch', `The Einsum equation ${equation} does not fit the shapes ${shapes}.`);
}
