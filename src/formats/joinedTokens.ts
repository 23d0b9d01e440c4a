import type { TextReader } from './dataset';
import type { Encoding } from './tokenizer/encoding';

/** A block of tokens; [from, to) and spans are UTF-16 units of all texts end to end. */
export interface TokenBlock {
  readonly ids: Int32Array;
  readonly from: number;
  readonly to: number;
}

/** Tokens of texts end to end: 12 bytes a token. */
export class JoinedTokens {
  private ids = new Int32Array(2 ** 12);
  private starts = new Int32Array(2 ** 12);
  private ends = new Int32Array(2 ** 12);
  private used = 0;
  /** Where each text begins. */
  private readonly textStarts: number[] = [];
  private units = 0;

  constructor(private readonly blockLength: number) {}

  /** Leaves out the tokens that make no whole block. */
  drop(): void {
    this.used -= this.used % this.blockLength;
  }

  /** The tokens of a text of so many units. */
  add(units: number, { ids, spans }: Encoding): void {
    const end = this.used + ids.length;
    if (end > this.ids.length) {
      [this.ids, this.starts, this.ends] = [this.ids, this.starts, this.ends].map((array) => {
        const grown = new Int32Array(2 * end);
        grown.set(array.subarray(0, this.used));
        return grown;
      }) as [Int32Array<ArrayBuffer>, Int32Array<ArrayBuffer>, Int32Array<ArrayBuffer>];
    }
    ids.forEach((id, token) => {
      const at = this.used + token;
      this.ids[at] = id;
      this.starts[at] = this.units + spans[token]![0];
      this.ends[at] = this.units + spans[token]![1];
    });
    this.used = end;
    this.textStarts.push(this.units);
    this.units += units;
  }

  blocks(): TokenBlock[] {
    const { blockLength: length } = this;
    return Array.from({ length: Math.floor(this.used / length) }, (_, block) => {
      const first = block * length;
      const spans = this.spans(block);
      const from = spans[0]?.[0] ?? this.starts[first]!;
      return { ids: this.ids.subarray(first, first + length), from, to: Math.max(from, spans.at(-1)?.[1] ?? from) };
    });
  }

  /** Spans of those tokens of a block that stand for text. */
  spans(block: number): (readonly [number, number])[] {
    const first = block * this.blockLength;
    return Array.from(
      { length: this.blockLength },
      (_, token) => [this.starts[first + token]!, this.ends[first + token]!] as const,
    ).filter(([start, end]) => end > start);
  }

  /** Units [from, to) of all texts. */
  async text(texts: TextReader, from: number, to: number): Promise<string> {
    const first = this.textAt(from);
    const last = this.textAt(Math.max(from, to - 1));
    const base = this.textStarts[first]!;
    return (await texts.read(first, last + 1)).join('').slice(from - base, to - base);
  }

  /** The last text that begins at a unit or before. */
  private textAt(unit: number): number {
    let low = 0;
    let high = this.textStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.textStarts[middle]! <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
