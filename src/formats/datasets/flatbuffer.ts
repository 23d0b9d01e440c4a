/** A table of a flatbuffer: its fields by their numbers. Reading outside the buffer throws `RangeError`. */
export class FlatTable {
  private readonly fields: number;
  private readonly size: number;

  constructor(
    private readonly buffer: DataView,
    private readonly at: number,
  ) {
    this.fields = at - buffer.getInt32(at, true);
    this.size = buffer.getUint16(this.fields, true);
  }

  /** The table that a buffer begins with a reference to: https://flatbuffers.dev/internals. */
  static root(bytes: Uint8Array): FlatTable {
    const buffer = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(buffer, buffer.getUint32(0, true));
  }

  uint8(field: number): number {
    const place = this.place(field);
    return place === undefined ? 0 : this.buffer.getUint8(place);
  }

  int64(field: number): number {
    const place = this.place(field);
    return place === undefined ? 0 : Number(this.buffer.getBigInt64(place, true));
  }

  table(field: number): FlatTable | undefined {
    const target = this.target(field);
    return target === undefined ? undefined : new FlatTable(this.buffer, target);
  }

  /** Elements of a vector, each of `bytes`; fails where they do not fit into the buffer, whatever their number claims. */
  vectorLength(field: number, bytes: number): number {
    const target = this.target(field);
    if (target === undefined) return 0;
    const length = this.buffer.getUint32(target, true);
    if (target + 4 + length * bytes > this.buffer.byteLength)
      throw new RangeError('a vector is longer than its buffer');
    return length;
  }

  /** The tables of a vector of references. */
  *tables(field: number): Generator<FlatTable> {
    const length = this.vectorLength(field, 4);
    const target = this.target(field) ?? 0;
    for (let index = 0; index < length; index++) {
      const place = target + 4 + 4 * index;
      yield new FlatTable(this.buffer, place + this.buffer.getUint32(place, true));
    }
  }

  private target(field: number): number | undefined {
    const place = this.place(field);
    return place === undefined ? undefined : place + this.buffer.getUint32(place, true);
  }

  private place(field: number): number | undefined {
    const slot = 4 + 2 * field;
    const offset = slot + 2 <= this.size ? this.buffer.getUint16(this.fields + slot, true) : 0;
    return offset === 0 ? undefined : this.at + offset;
  }
}
