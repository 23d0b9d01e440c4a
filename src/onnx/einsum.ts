import { WhenceError } from '../protocol/errors';

/** An Einsum equation with every axis named by a letter and its result spelt out. */
export interface ExplicitEquation {
  /** One string of letters for each operand. */
  readonly terms: readonly string[];
  readonly result: string;
}

/** Resolves what an equation may leave out: the result, and leading axes behind an ellipsis, which broadcast. */
export function explicitEquation(equation: string, operands: readonly (readonly number[])[]): ExplicitEquation {
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const terms = left!.split(',');
  if (terms.length !== operands.length) throw mismatch(equation, operands);
  const used = new Set(equation);
  const free = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((letter) => !used.has(letter));
  const hidden = terms.map((term, index) =>
    term.includes('...') ? operands[index]!.length - (term.length - '...'.length) : 0,
  );
  const widest = Math.max(0, ...hidden);
  if (hidden.some((count) => count < 0) || widest > free.length) throw mismatch(equation, operands);
  const ellipsis = free.slice(0, widest).join('');
  const named = terms.map((term, index) => term.replace('...', ellipsis.slice(widest - hidden[index]!)));
  if (right !== undefined) return { terms: named, result: right.replace('...', ellipsis) };
  const letters = [...terms.join('').replaceAll('.', '')];
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  return { terms: named, result: ellipsis + once.sort().join('') };
}

/** The shape of an Einsum's result. Axes of length one broadcast. */
export function einsumDims(equation: string, operands: readonly (readonly number[])[]): readonly number[] {
  const { terms, result } = explicitEquation(equation, operands);
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
  return [...result].map((letter) => {
    const size = sizes.get(letter);
    if (size === undefined) throw mismatch(equation, operands);
    return size;
  });
}

function mismatch(equation: string, operands: readonly (readonly number[])[]): WhenceError {
  const shapes = operands.map((dims) => `[${dims.join(', ')}]`).join(', ');
  return new WhenceError('shape-mismatch', `The Einsum equation ${equation} does not fit the shapes ${shapes}.`);
}
