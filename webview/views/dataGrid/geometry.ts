/** Where cells lie in a grid of equal cells that scrolls vertically. Lengths are CSS pixels. */
export interface GridGeometry {
  readonly columns: number;
  readonly rowHeight: number;
  readonly rows: number;
}

const leastCellWidth = 112;
const pictureHeight = 76;
const spacing = 16;

/** `fontSize` and how many lines of text a cell has decide its height. */
export function gridGeometry(width: number, fontSize: number, captionLines: number, total: number): GridGeometry {
  const columns = Math.max(1, Math.floor(width / leastCellWidth));
  const rowHeight = pictureHeight + spacing + Math.ceil(fontSize * 1.4) * captionLines;
  return { columns, rowHeight, rows: Math.ceil(total / columns) };
}

export interface RowRange {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** The rows to have in the page: those in sight and `margin` more above and below. */
export function visibleRows({ rowHeight, rows }: GridGeometry, top: number, height: number, margin: number): RowRange {
  const first = Math.max(0, Math.floor(top / rowHeight) - margin);
  const end = Math.min(rows, Math.ceil((top + height) / rowHeight) + margin);
  return { first: Math.min(first, end), end };
}

/** Where a key leads from `position`, or undefined where the key is none of the grid's. */
export function keyDestination(
  { key, ctrlKey }: Pick<KeyboardEvent, 'key' | 'ctrlKey'>,
  position: number,
  { columns }: GridGeometry,
  rowsInSight: number,
  total: number,
): number | undefined {
  const within = (target: number) => Math.max(0, Math.min(total - 1, target));
  const rowStart = position - (position % columns);
  const vertically = (target: number) => (target < 0 || target >= total ? position : target);
  switch (key) {
    case 'ArrowRight':
      return within(position + 1);
    case 'ArrowLeft':
      return within(position - 1);
    case 'ArrowDown':
      return vertically(position + columns);
    case 'ArrowUp':
      return vertically(position - columns);
    case 'PageDown':
      return within(position + columns * rowsInSight);
    case 'PageUp':
      return within(position - columns * rowsInSight);
    case 'Home':
      return ctrlKey ? 0 : rowStart;
    case 'End':
      return within(ctrlKey ? total - 1 : rowStart + columns - 1);
    default:
      return undefined;
  }
}
