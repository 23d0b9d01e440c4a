import { truncatedPicture } from '../pixels';
import type { Component, Frame } from './frame';
import { BitReader, type HuffmanTable } from './huffman';

/** Places of coefficients in a block in the order in which they are coded; runs beyond the end stay at the last. */
const order = new Uint8Array(80).fill(63);
for (let diagonal = 0, index = 0; diagonal < 15; diagonal++) {
  for (let step = 0; step <= diagonal; step++) {
    const [row, column] = diagonal % 2 === 0 ? [diagonal - step, step] : [step, diagonal - step];
    if (row! < 8 && column! < 8) order[index++] = 8 * row! + column!;
  }
}

export const naturalOrder: Uint8Array = order;

export interface ScanComponent {
  readonly component: Component;
  readonly dc: HuffmanTable | undefined;
  readonly ac: HuffmanTable | undefined;
}

/** What a scan codes: coefficients `from` to `to`, bits down to `low`; `high` is 0 in the first scan of them (T.81, G.1). */
export interface Scan {
  readonly components: readonly ScanComponent[];
  readonly from: number;
  readonly to: number;
  readonly high: number;
  readonly low: number;
  readonly restartInterval: number;
}

type DecodeBlock = (part: ScanComponent, index: number, at: number) => void;

/** Decodes a scan into the coefficients of its components. @returns where the data after it begin */
export function decodeScan(frame: Frame, scan: Scan, bytes: Uint8Array, position: number, file: string): number {
  const reader = new BitReader(bytes, position);
  const state = { predictions: new Int32Array(scan.components.length), skipped: 0 };
  const decode = blockDecoder(frame, scan, reader, state);
  const [single] = scan.components;
  const alone = scan.components.length === 1;
  const unitsAcross = alone ? single!.component.blocksAcross : frame.unitsAcross;
  const units = unitsAcross * (alone ? single!.component.blocksDown : frame.unitsDown);
  for (let unit = 0; unit < units; unit++) {
    if (scan.restartInterval > 0 && unit > 0 && unit % scan.restartInterval === 0) {
      reader.restart();
      state.predictions.fill(0);
      state.skipped = 0;
    }
    const row = Math.floor(unit / unitsAcross);
    const column = unit % unitsAcross;
    if (alone) decode(single!, 0, 64 * (row * single!.component.blocksPerRow + column));
    else decodeUnit(scan, row, column, decode);
    if (reader.isOverrun) throw truncatedPicture(file, bytes.length);
  }
  return reader.position;
}

function decodeUnit({ components }: Scan, row: number, column: number, decode: DecodeBlock): void {
  for (let index = 0; index < components.length; index++) {
    const part = components[index]!;
    const { horizontal, vertical, blocksPerRow } = part.component;
    for (let y = 0; y < vertical; y++) {
      for (let x = 0; x < horizontal; x++) {
        decode(part, index, 64 * ((row * vertical + y) * blocksPerRow + column * horizontal + x));
      }
    }
  }
}

function blockDecoder(
  frame: Frame,
  scan: Scan,
  reader: BitReader,
  state: { readonly predictions: Int32Array; skipped: number },
): DecodeBlock {
  const { from, to, high, low } = scan;
  const dcDifference = ({ dc }: ScanComponent, index: number) => {
    const length = Math.min(16, reader.symbol(dc!));
    state.predictions[index]! += reader.signed(length);
    return state.predictions[index]!;
  };
  if (!frame.progressive) {
    return (part, index, at) => {
      const { coefficients } = part.component;
      coefficients[at] = dcDifference(part, index);
      for (let k = 1; k < 64; k++) {
        const symbol = reader.symbol(part.ac!);
        const length = symbol & 15;
        k += symbol >> 4;
        if (length > 0) coefficients[at + order[k]!] = reader.signed(length);
        else if (symbol !== 0xf0) break;
      }
    };
  }
  if (from === 0) {
    if (high === 0) {
      return (part, index, at) => {
        part.component.coefficients[at] = dcDifference(part, index) << low;
      };
    }
    return (part, _, at) => {
      if (reader.bits(1) === 1) part.component.coefficients[at]! |= 1 << low;
    };
  }
  if (high > 0) return (part, _, at) => refine(part, at);
  return (part, _, at) => {
    if (state.skipped > 0) {
      state.skipped--;
      return;
    }
    for (let k = from; k <= to; k++) {
      const symbol = reader.symbol(part.ac!);
      const run = symbol >> 4;
      const length = symbol & 15;
      if (length === 0 && run < 15) {
        state.skipped = (1 << run) - 1 + reader.bits(run);
        return;
      }
      k += run;
      if (length > 0) part.component.coefficients[at + order[k]!] = reader.signed(length) * (1 << low);
    }
  };

  /** Adds one bit to coefficients that are not zero, and sets new ones between them (T.81, G.1.2.3). */
  function refine({ component: { coefficients }, ac }: ScanComponent, at: number): void {
    const bit = 1 << low;
    const correct = (place: number) => {
      const value = coefficients[place]!;
      if (reader.bits(1) === 1 && (Math.abs(value) & bit) === 0) coefficients[place] = value + (value < 0 ? -bit : bit);
    };
    let k = from;
    if (state.skipped === 0) {
      for (; k <= to; k++) {
        const symbol = reader.symbol(ac!);
        let run = symbol >> 4;
        let value = 0;
        if ((symbol & 15) > 0) value = reader.bits(1) === 1 ? bit : -bit;
        else if (run < 15) {
          state.skipped = (1 << run) + reader.bits(run);
          break;
        }
        for (; k <= to; k++) {
          const place = at + order[k]!;
          if (coefficients[place] !== 0) correct(place);
          else if (run-- === 0) {
            if (value !== 0) coefficients[place] = value;
            break;
          }
        }
      }
    }
    if (state.skipped === 0) return;
    for (; k <= to; k++) if (coefficients[at + order[k]!] !== 0) correct(at + order[k]!);
    state.skipped--;
  }
}
