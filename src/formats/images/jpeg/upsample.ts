import { unknownPicture } from '../pixels';
import type { Component, Frame } from './frame';

/** A component's samples, row-major, of which `width` × `height` belong to the picture. */
export interface Plane {
  readonly samples: Uint8Array;
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A component at the picture's size, as libjpeg-turbo's default: a triangle filter between samples where it is halved in one
 * or both directions, else copies.
 */
export function upsample(plane: Plane, component: Component, frame: Frame, file: string): Plane {
  const across = frame.mostHorizontal / component.horizontal;
  const down = frame.mostVertical / component.vertical;
  if (across === 1 && down === 1) return plane;
  if (!Number.isInteger(across) || !Number.isInteger(down)) {
    throw unknownPicture(file, `This JPEG samples a colour ${across} times across and ${down} times down`);
  }
  if (across === 2 && down === 1 && plane.width > 2) return doubledAcross(plane);
  if (across === 2 && down === 2 && plane.width > 2) return doubledBoth(plane);
  if (across === 1 && down === 2) return doubledDown(plane);
  return copied(plane, across, down);
}

function planeOf(width: number, height: number): Plane {
  return { samples: new Uint8Array(width * height), stride: width, width, height };
}

function copied(plane: Plane, across: number, down: number): Plane {
  const result = planeOf(plane.width * across, plane.height * down);
  for (let row = 0; row < result.height; row++) {
    const from = Math.floor(row / down) * plane.stride;
    const to = row * result.stride;
    for (let column = 0; column < result.width; column++) {
      result.samples[to + column] = plane.samples[from + Math.floor(column / across)]!;
    }
  }
  return result;
}

/** Three quarters of the nearer sample and one of the farther, roundings taking turns. */
function doubledAcross({ samples, stride, width, height }: Plane): Plane {
  const result = planeOf(2 * width, height);
  for (let row = 0; row < height; row++) {
    const from = row * stride;
    const to = row * result.stride;
    for (let column = 0; column < width; column++) {
      const own = 3 * samples[from + column]!;
      const left = column > 0 ? samples[from + column - 1]! : samples[from]!;
      const right = column < width - 1 ? samples[from + column + 1]! : samples[from + column]!;
      result.samples[to + 2 * column] = (own + left + 1) >> 2;
      result.samples[to + 2 * column + 1] = (own + right + 2) >> 2;
    }
  }
  return result;
}

function doubledDown({ samples, stride, width, height }: Plane): Plane {
  const result = planeOf(width, 2 * height);
  for (let row = 0; row < result.height; row++) {
    const near = row >> 1;
    const from = near * stride;
    const other = neighbour(row, near, height) * stride;
    const to = row * result.stride;
    const rounding = row % 2 === 0 ? 1 : 2;
    for (let column = 0; column < width; column++) {
      result.samples[to + column] = (3 * samples[from + column]! + samples[other + column]! + rounding) >> 2;
    }
  }
  return result;
}

function doubledBoth({ samples, stride, width, height }: Plane): Plane {
  const result = planeOf(2 * width, 2 * height);
  const sums = new Int32Array(width);
  for (let row = 0; row < result.height; row++) {
    const near = row >> 1;
    const from = near * stride;
    const other = neighbour(row, near, height) * stride;
    const to = row * result.stride;
    for (let column = 0; column < width; column++)
      sums[column] = 3 * samples[from + column]! + samples[other + column]!;
    for (let column = 0; column < width; column++) {
      const own = 3 * sums[column]!;
      const left = sums[column > 0 ? column - 1 : column]!;
      const right = sums[column < width - 1 ? column + 1 : column]!;
      result.samples[to + 2 * column] = (own + left + 8) >> 4;
      result.samples[to + 2 * column + 1] = (own + right + 7) >> 4;
    }
  }
  return result;
}

/** The row that is nearest but one: above for even rows of the result, below for odd ones. */
function neighbour(row: number, near: number, height: number): number {
  return row % 2 === 0 ? Math.max(0, near - 1) : Math.min(height - 1, near + 1);
}
