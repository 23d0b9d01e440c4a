import type { Cursor } from './cursor';
import type { PickleValue } from './values';

/** A pickle machine's stack, with the marks that lists and dicts begin at. */
export class Stack {
  private values: PickleValue[] = [];
  private readonly marked: PickleValue[][] = [];

  /** @param cursor for where an error is */
  constructor(private readonly cursor: Cursor) {}

  push(value: PickleValue): void {
    this.values.push(value);
  }

  top(): PickleValue {
    const value = this.values.at(-1);
    if (value === undefined) throw this.cursor.malformed("The pickle's stack is empty.");
    return value;
  }

  pop(): PickleValue {
    const value = this.top();
    this.values.pop();
    return value;
  }

  /** The last `count` values, in their order. */
  popSome(count: number): PickleValue[] {
    if (this.values.length < count) throw this.cursor.malformed("The pickle's stack is empty.");
    return this.values.splice(this.values.length - count, count);
  }

  mark(): void {
    this.marked.push(this.values);
    this.values = [];
  }

  /** All values since the last mark, which is taken away. */
  toMark(): PickleValue[] {
    const below = this.marked.pop();
    if (!below) throw this.cursor.malformed('The pickle goes back to a mark that it never set.');
    const values = this.values;
    this.values = below;
    return values;
  }
}
