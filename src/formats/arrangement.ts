import { elementCount } from './tensor';

/** How the numbers of a picture are laid out for the model. */
export interface LayoutConfig {
  /** `bgr` turns the order of three channels round. */
  readonly channels?: 'rgb' | 'bgr' | 'grey';
  /** Channels first or last. Default: first for pictures in files of their own, else as the file has them. */
  readonly layout?: 'chw' | 'hwc';
  /** Rows and columns change places. */
  readonly transpose?: boolean;
}

/** Numbers of one example in another order: number `i` of the result is number `order[i]` of the source. */
export interface Arrangement {
  readonly dims: readonly number[];
  /** Absent where nothing moves. */
  readonly order?: Int32Array;
}

/**
 * How examples of shape `dims` are rearranged: [height, width], [height, width, channels] or [channels, height, width]; others
 * stay as they are. Channels are 1, 3 or 4; `stored` says where they stand.
 */
export function arrangement(
  dims: readonly number[],
  { channels, layout, transpose }: LayoutConfig,
  stored: 'chw' | 'hwc' | undefined = storedLayout(dims),
): Arrangement {
  const reverse = channels === 'bgr';
  if (dims.length !== 2 && stored === undefined) return { dims };
  const wanted = layout ?? stored;
  const [height, width, depth] =
    dims.length === 2
      ? [dims[0]!, dims[1]!, 1]
      : stored === 'chw'
        ? [dims[1]!, dims[2]!, dims[0]!]
        : [dims[0]!, dims[1]!, dims[2]!];
  if (!transpose && !reverse && (wanted === stored || depth === 1))
    return { dims: shaped(dims, height, width, depth, wanted) };
  const [rows, columns] = transpose ? [width, height] : [height, width];
  const order = new Int32Array(elementCount(dims));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [y, x] = transpose ? [column, row] : [row, column];
      for (let channel = 0; channel < depth; channel++) {
        const own = reverse ? depth - 1 - channel : channel;
        const from = stored === 'chw' ? (own * height + y) * width + x : (y * width + x) * depth + own;
        const to =
          wanted === 'chw' ? (channel * rows + row) * columns + column : (row * columns + column) * depth + channel;
        order[to] = from;
      }
    }
  }
  return { dims: shaped(dims, rows, columns, depth, wanted), order };
}

function shaped(
  dims: readonly number[],
  rows: number,
  columns: number,
  depth: number,
  layout: 'chw' | 'hwc' | undefined,
): readonly number[] {
  if (dims.length === 2) return [rows, columns];
  return layout === 'chw' ? [depth, rows, columns] : [rows, columns, depth];
}

/** Where channels stand in an array of three axes, by their number. */
export function storedLayout(dims: readonly number[]): 'chw' | 'hwc' | undefined {
  const isChannels = (count: number | undefined) => count === 1 || count === 3 || count === 4;
  if (dims.length !== 3) return undefined;
  if (isChannels(dims[0])) return 'chw';
  return isChannels(dims[2]) ? 'hwc' : undefined;
}
