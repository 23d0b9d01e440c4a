/** Numbers that come one by one, in typed memory: an ordinary array of ten million takes four times as much at its peak. */
export class GrowingArray {
  private values = new Float64Array(256);
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(value: number): void {
    if (this.count === this.values.length) {
      const grown = new Float64Array(this.count * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count++] = value;
  }

  at(index: number): number {
    return this.values[index]!;
  }

  /** The numbers so far, in memory of their own where less than that was grown. */
  finish(): Float64Array {
    return this.count === this.values.length ? this.values : this.values.slice(0, this.count);
  }

  /** How many of the numbers, which must rise, are at most `value`. */
  countUpTo(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.values[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
