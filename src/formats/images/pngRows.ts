import { damagedPicture } from './pixels';
import type { PngHeader } from './png';

/** Adam7: where each pass begins and how far its pixels lie apart: x, y, across, down. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Scan lines of a PNG: how many bytes they take, and what makes samples of 8 bits of them, in the order of pixels. */
export interface Passes {
  readonly bytes: number;
  /** `raw` is taken apart in place. Samples of fewer bits keep their values; of 16 bits see `decodePng`. */
  unpack(raw: Uint8Array, file: string): Uint8Array;
}

export function readPasses({ width, height, depth, colour, interlaced }: PngHeader, samples: number): Passes {
  const bits = depth * samples;
  const passes = (interlaced ? adam7 : [[0, 0, 1, 1] as const]).flatMap(([x, y, across, down]) => {
    const columns = Math.ceil((width - x) / across);
    const rows = Math.ceil((height - y) / down);
    const rowBytes = Math.ceil((columns * bits) / 8);
    return columns > 0 && rows > 0 ? [{ x, y, across, down, columns, rows, rowBytes }] : [];
  });
  return {
    bytes: passes.reduce((sum, { rows, rowBytes }) => sum + rows * (1 + rowBytes), 0),
    unpack(raw, file) {
      const values = new Uint8Array(width * height * samples);
      let at = 0;
      for (const { x, y, across, down, columns, rows, rowBytes } of passes) {
        for (let row = 0; row < rows; row++, at += 1 + rowBytes) {
          const above = row > 0 ? at - rowBytes : -1;
          if (!unfilter(raw, at, above, rowBytes, Math.max(1, bits >> 3))) {
            throw damagedPicture(
              file,
              `row ${row}`,
              `A row of the PNG has the filter ${raw[at]}, which does not exist.`,
            );
          }
          const line = samplesOf(raw.subarray(at + 1, at + 1 + rowBytes), depth, colour, columns * samples);
          const to = (y + row * down) * width + x;
          if (across === 1) values.set(line, to * samples);
          else {
            for (let column = 0; column < columns; column++) {
              const own = line.subarray(column * samples, (column + 1) * samples);
              values.set(own, (to + column * across) * samples);
            }
          }
        }
      }
      return values;
    },
  };
}

/** Undoes a row's filter in place (ISO/IEC 15948, 9.2); false where there is no such filter. `above` is -1 for the first row. */
function unfilter(raw: Uint8Array, at: number, above: number, length: number, step: number): boolean {
  const filter = raw[at]!;
  if (filter > 4) return false;
  const row = raw.subarray(at + 1, at + 1 + length);
  const up = above >= 0 ? raw.subarray(above, above + length) : new Uint8Array(length);
  if (filter === 1) for (let index = step; index < length; index++) row[index]! += row[index - step]!;
  else if (filter === 2) for (let index = 0; index < length; index++) row[index]! += up[index]!;
  else if (filter === 3) {
    for (let index = 0; index < length; index++) {
      row[index]! += ((index >= step ? row[index - step]! : 0) + up[index]!) >> 1;
    }
  } else if (filter === 4) {
    for (let index = 0; index < step && index < length; index++) row[index]! += up[index]!;
    for (let index = step; index < length; index++) {
      row[index]! += paeth(row[index - step]!, up[index]!, up[index - step]!);
    }
  }
  return true;
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function samplesOf(row: Uint8Array, depth: number, colour: number, count: number): Uint8Array {
  if (depth === 8) return row;
  const values = new Uint8Array(count);
  if (depth === 16) {
    for (let index = 0; index < count; index++) {
      const high = row[2 * index]!;
      // Pillow keeps 16 bits of grey as numbers, which it then cuts off at 255.
      values[index] = colour === 0 && high > 0 ? 255 : row[2 * index + (colour === 0 ? 1 : 0)]!;
    }
    return values;
  }
  const mask = (1 << depth) - 1;
  for (let index = 0; index < count; index++) {
    const bit = index * depth;
    values[index] = (row[bit >> 3]! >> (8 - depth - (bit & 7))) & mask;
  }
  return values;
}
