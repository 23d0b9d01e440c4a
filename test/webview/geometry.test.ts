import { describe, expect, it } from 'vitest';
import { gridGeometry, keyDestination, visibleRows } from '../../webview/views/dataGrid/geometry';

describe('the geometry of a grid', () => {
  const geometry = gridGeometry(900, 13, 2, 60_000);

  it('fits as many columns as the width has room for, and one at least', () => {
    expect(geometry.columns).toBe(8);
    expect(geometry.rows).toBe(7500);
    expect(gridGeometry(50, 13, 2, 10)).toMatchObject({ columns: 1, rows: 10 });
    expect(gridGeometry(900, 13, 2, 0).rows).toBe(0);
  });

  it('gives rows the height of their text', () => {
    const more = gridGeometry(900, 26, 2, 100).rowHeight - gridGeometry(900, 13, 2, 100).rowHeight;
    expect(more).toBe(36);
  });

  it('has the rows in sight and a margin, within the grid', () => {
    const { rowHeight } = geometry;
    expect(visibleRows(geometry, 0, rowHeight * 5, 2)).toEqual({ first: 0, end: 7 });
    expect(visibleRows(geometry, rowHeight * 100.5, rowHeight * 5, 2)).toEqual({ first: 98, end: 108 });
    expect(visibleRows(geometry, rowHeight * 7495, rowHeight * 5, 2)).toEqual({ first: 7493, end: 7500 });
    expect(visibleRows({ ...geometry, rows: 0 }, 0, 500, 2)).toEqual({ first: 0, end: 0 });
  });
});

describe('keys', () => {
  const geometry = { columns: 8, rowHeight: 100, rows: 3 };
  const go = (key: string, position: number, ctrlKey = false) =>
    keyDestination({ key, ctrlKey }, position, geometry, 2, 20);

  it.each([
    ['ArrowRight', 7, 8],
    ['ArrowRight', 19, 19],
    ['ArrowLeft', 0, 0],
    ['ArrowDown', 3, 11],
    ['ArrowDown', 13, 13],
    ['ArrowUp', 11, 3],
    ['PageDown', 1, 17],
    ['PageUp', 17, 1],
    ['PageDown', 9, 19],
    ['Home', 13, 8],
    ['End', 9, 15],
    ['End', 17, 19],
  ])('%s leads from %i to %i', (key, from, to) => {
    expect(go(key, from)).toBe(to);
  });

  it('leads to both ends with Control', () => {
    expect([go('Home', 13, true), go('End', 3, true)]).toEqual([0, 19]);
  });

  it('leaves other keys alone', () => {
    expect(go('a', 3)).toBeUndefined();
  });
});
