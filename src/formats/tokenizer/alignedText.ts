/**
 * A text that a tokenizer's parts change step by step, each of its UTF-16 units with the span of the original that it came
 * from. Spans are [start, end) in units of the original; without arrays the text is a piece of the original as it stands.
 */
export class AlignedText {
  constructor(
    readonly text: string,
    /** Where the piece begins in the original, for texts without arrays. */
    private readonly base = 0,
    private readonly starts?: Int32Array,
    private readonly ends?: Int32Array,
  ) {}

  get length(): number {
    return this.text.length;
  }

  start(unit: number): number {
    return this.starts ? this.starts[unit]! : this.base + unit;
  }

  /** Where the span of the unit ends; of a pair of surrogates ask the last one. */
  end(unit: number): number {
    return this.ends ? this.ends[unit]! : this.base + unit + 1;
  }

  slice(from: number, to: number): AlignedText {
    if (from === 0 && to === this.length) return this;
    return new AlignedText(
      this.text.slice(from, to),
      this.base + from,
      this.starts?.subarray(from, to),
      this.ends?.subarray(from, to),
    );
  }

  /** The text with each of its characters (code points) as `change` says. */
  mapCharacters(change: CharacterMap): AlignedText {
    const { text } = this;
    let mapped = '';
    let kept = 0;
    for (let from = 0; from < text.length; ) {
      const character = characterAt(text, from);
      const to = from + character.length;
      const changed = change(character);
      if (changed !== character) {
        // Spans stay where units go one for one.
        if (changed.length !== character.length) return this.mapUnevenly(change);
        mapped += text.slice(kept, from) + changed;
        kept = to;
      }
      from = to;
    }
    if (kept === 0) return this;
    return new AlignedText(mapped + text.slice(kept), this.base, this.starts, this.ends);
  }

  /** `prefix` stands before the text and has the span of its first character. */
  withPrefix(prefix: string): AlignedText {
    if (this.length === 0) return this;
    const edit = new TextEdit(this);
    edit.replace(0, 0, prefix, 0, characterAt(this.text, 0).length);
    return edit.finish();
  }

  private mapUnevenly(change: CharacterMap): AlignedText {
    const edit = new TextEdit(this);
    const { text } = this;
    for (let from = 0; from < text.length; ) {
      const character = characterAt(text, from);
      const to = from + character.length;
      const changed = change(character);
      if (changed !== character) edit.replace(from, to, changed, from, to);
      from = to;
    }
    return edit.finish();
  }
}

/** What stands for a character. */
export type CharacterMap = (character: string) => string;

/** The same map, which computes each character once; undefined keeps one. */
export function remembered(change: (character: string) => string | undefined): CharacterMap {
  const known = new Map<string, string>();
  return (character) => {
    let changed = known.get(character);
    if (changed === undefined) {
      changed = change(character) ?? character;
      known.set(character, changed);
    }
    return changed;
  };
}

/** Replaces parts of a text, from left to right. */
export class TextEdit {
  private readonly parts: string[] = [];
  private readonly spans: number[] = [];
  private done = 0;

  constructor(private readonly source: AlignedText) {}

  /** `text` instead of units [from, to), with the span of units [alignFrom, alignTo) of the source. */
  replace(from: number, to: number, text: string, alignFrom: number, alignTo: number): void {
    this.keep(from);
    this.done = to;
    this.put(text, alignFrom, alignTo);
  }

  /** More text in the place of what was replaced last. */
  put(text: string, alignFrom: number, alignTo: number): void {
    const start = this.source.start(alignFrom);
    const end = this.source.end(alignTo - 1);
    for (let unit = 0; unit < text.length; unit++) this.spans.push(start, end);
    this.parts.push(text);
  }

  finish(): AlignedText {
    if (this.done === 0 && this.parts.length === 0) return this.source;
    this.keep(this.source.length);
    const starts = Int32Array.from({ length: this.spans.length / 2 }, (_, unit) => this.spans[2 * unit]!);
    const ends = Int32Array.from(starts, (_, unit) => this.spans[2 * unit + 1]!);
    return new AlignedText(this.parts.join(''), 0, starts, ends);
  }

  private keep(to: number): void {
    const { text } = this.source;
    if (to <= this.done) return;
    for (let unit = this.done; unit < to; ) {
      const width = characterAt(text, unit).length;
      for (let half = 0; half < width; half++) {
        this.spans.push(this.source.start(unit), this.source.end(unit + width - 1));
      }
      unit += width;
    }
    this.parts.push(text.slice(this.done, to));
  }
}

/** The character (code point) that begins at a unit. */
export function characterAt(text: string, unit: number): string {
  const code = text.charCodeAt(unit);
  if (code < 0xd800 || code > 0xdbff) return text[unit]!;
  return String.fromCodePoint(text.codePointAt(unit)!);
}
