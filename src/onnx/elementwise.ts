import { GraphAssembly } from './assembly';
import { dataTypeNumber } from './dataType';
import { broadcastDims } from './dims';
import type { DType } from './dtype';
import type { Attribute } from './graph';

/** Emitters of what goes element by element; operands of two broadcast as in NumPy. */
export class ElementwiseBuilder extends GraphAssembly {
  add(a: string, b: string): string {
    return this.#binary('Add', a, b);
  }
  sub(a: string, b: string): string {
    return this.#binary('Sub', a, b);
  }
  mul(a: string, b: string): string {
    return this.#binary('Mul', a, b);
  }
  div(a: string, b: string): string {
    return this.#binary('Div', a, b);
  }
  pow(base: string, exponent: string): string {
    return this.#binary('Pow', base, exponent, this.dtype(base));
  }
  equal(a: string, b: string): string {
    return this.#binary('Equal', a, b, 'bool');
  }
  greater(a: string, b: string): string {
    return this.#binary('Greater', a, b, 'bool');
  }
  greaterOrEqual(a: string, b: string): string {
    return this.#binary('GreaterOrEqual', a, b, 'bool');
  }
  less(a: string, b: string): string {
    return this.#binary('Less', a, b, 'bool');
  }
  and(a: string, b: string): string {
    return this.#binary('And', a, b, 'bool');
  }

  neg(value: string): string {
    return this.#unary('Neg', value);
  }
  exp(value: string): string {
    return this.#unary('Exp', value);
  }
  log(value: string): string {
    return this.#unary('Log', value);
  }
  sqrt(value: string): string {
    return this.#unary('Sqrt', value);
  }
  abs(value: string): string {
    return this.#unary('Abs', value);
  }
  sign(value: string): string {
    return this.#unary('Sign', value);
  }
  floor(value: string): string {
    return this.#unary('Floor', value);
  }
  relu(value: string): string {
    return this.#unary('Relu', value);
  }
  sigmoid(value: string): string {
    return this.#unary('Sigmoid', value);
  }
  identity(value: string): string {
    return this.#unary('Identity', value);
  }
  square(value: string): string {
    return this.mul(value, value);
  }

  /** A scalar constant of the type of `like`'s elements. */
  scalar(number: number, like: string): string {
    return this.constant(number, [], this.dtype(like));
  }
  /** `value * factor`; the value itself for the factor 1. */
  scale(value: string, factor: number): string {
    return factor === 1 ? value : this.mul(value, this.scalar(factor, value));
  }
  where(condition: string, a: string, b: string): string {
    const dims = broadcastDims(this.dims(condition), broadcastDims(this.dims(a), this.dims(b)));
    return this.emit('Where', [condition, a, b], { dtype: this.dtype(a), dims });
  }
  cast(value: string, dtype: DType): string {
    if (this.dtype(value) === dtype) return value;
    const to: Attribute = { kind: 'int', value: dataTypeNumber(dtype) };
    return this.emit('Cast', [value], { dtype, dims: this.dims(value) }, { to });
  }

  #unary(op: string, value: string): string {
    return this.emit(op, [value], this.typeOf(value));
  }

  #binary(op: string, a: string, b: string, dtype = this.dtype(a)): string {
    return this.emit(op, [a, b], { dtype, dims: broadcastDims(this.dims(a), this.dims(b)) });
  }
}
