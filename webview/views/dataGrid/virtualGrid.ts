import type { DataFile } from '../../../src/protocol/viewApi';
import { element, setAttributes } from '../../element';
import { gridCell } from './cell';
import { type GridGeometry, gridGeometry, keyDestination, visibleRows } from './geometry';
import { type ExamplePages, pageSize } from './pages';

/** Rows kept above and below those in sight. */
const margin = 2;
/** Milliseconds of rest before a flight over many pages asks for those where it ends. */
const restBeforeAsking = 60;

export interface GridOptions {
  readonly file: DataFile;
  readonly pages: ExamplePages;
  /** Enter or a double click on the example at a position. */
  open(position: number): void;
  /** The example at a position became the current one, or came in. */
  current(position: number): void;
}

/** A grid of any number of examples that has only the rows in sight in the page, and the current example's. */
export class VirtualGrid {
  readonly node: HTMLElement;
  private readonly grid = element('div', { role: 'grid', class: 'grid', 'aria-label': 'Examples' });
  private readonly rows = new Map<number, HTMLElement>();
  private readonly resizing = new ResizeObserver(() => this.layout());
  private geometry: GridGeometry = { columns: 1, rowHeight: 1, rows: 0 };
  private position = 0;
  private asking: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: GridOptions) {
    this.node = element('div', { class: 'scroller' }, this.grid);
    this.node.addEventListener('scroll', () => this.render());
    this.grid.addEventListener('focusin', (event) => this.take(event.target));
    this.grid.addEventListener('contextmenu', (event) => this.take(event.target));
    this.grid.addEventListener('dblclick', (event) => this.take(event.target) && options.open(this.position));
    this.grid.addEventListener('keydown', (event) => this.press(event));
    this.resizing.observe(this.node);
  }

  get at(): number {
    return this.position;
  }

  /** To be called once the grid is in the page, and when the number of examples changed. */
  layout(): void {
    const { pages, file } = this.options;
    const { fontSize } = getComputedStyle(this.node);
    const lines = file.run ? 2 : 1;
    const before = this.geometry;
    this.geometry = gridGeometry(this.node.clientWidth, Number.parseFloat(fontSize), lines, pages.total);
    const { columns, rowHeight, rows } = this.geometry;
    this.grid.style.height = `${rows * rowHeight}px`;
    setAttributes(this.grid, { 'aria-rowcount': rows, 'aria-colcount': columns });
    if (before.columns !== columns || before.rowHeight !== rowHeight) {
      const focused = this.hasFocus();
      this.dropRows();
      this.scrollTo(this.position);
      this.render();
      if (focused) this.cellAt(this.position)?.focus({ preventScroll: true });
      return;
    }
    this.render();
  }

  /** Fills in the cells of a page that has come. */
  loaded(page: number): void {
    for (const [index, row] of this.rows) {
      const from = index * this.geometry.columns;
      if (from + this.geometry.columns <= page * pageSize || from >= (page + 1) * pageSize) continue;
      const focused = row.contains(document.activeElement);
      row.replaceChildren(...this.cells(index));
      if (focused) this.cellAt(this.position)?.focus({ preventScroll: true });
    }
    if (Math.floor(this.position / pageSize) === page) this.options.current(this.position);
  }

  /** Scrolls a position into sight and makes it the current one. */
  moveTo(position: number, focus: boolean): void {
    this.setPosition(position);
    this.scrollTo(position);
    this.render();
    if (focus) this.cellAt(position)?.focus({ preventScroll: true });
  }

  /** Brings a position to the middle and lights it up for a moment. */
  flash(position: number): void {
    const { columns, rowHeight } = this.geometry;
    this.node.scrollTop = (Math.floor(position / columns) + 0.5) * rowHeight - this.node.clientHeight / 2;
    this.render();
    const cell = this.cellAt(position);
    cell?.classList.add('revealed');
    cell?.addEventListener('animationend', () => cell.classList.remove('revealed'), { once: true });
  }

  dispose(): void {
    clearTimeout(this.asking);
    this.resizing.disconnect();
  }

  private press(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      this.options.open(this.position);
      return;
    }
    const inSight = Math.max(1, Math.floor(this.node.clientHeight / this.geometry.rowHeight));
    const next = keyDestination(event, this.position, this.geometry, inSight, this.options.pages.total);
    if (next === undefined) return;
    event.preventDefault();
    this.moveTo(next, true);
  }

  private take(target: EventTarget | null): boolean {
    const cell = target instanceof Element ? target.closest<HTMLElement>('[role=gridcell]') : null;
    if (!cell) return false;
    this.setPosition(Number(cell.dataset.position));
    return true;
  }

  private setPosition(position: number): void {
    if (position === this.position && this.cellAt(position)?.tabIndex === 0) return;
    const before = this.cellAt(this.position);
    this.position = position;
    if (before) markCurrent(before, false);
    const now = this.cellAt(position);
    if (now) markCurrent(now, true);
    this.options.current(position);
  }

  private scrollTo(position: number): void {
    const { columns, rowHeight } = this.geometry;
    const top = Math.floor(position / columns) * rowHeight;
    const height = this.node.clientHeight;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top + rowHeight > this.node.scrollTop + height) this.node.scrollTop = top + rowHeight - height;
  }

  private render(): void {
    const { rowHeight, rows, columns } = this.geometry;
    const { first, end } = visibleRows(this.geometry, this.node.scrollTop, this.node.clientHeight, margin);
    const wanted = new Set(Array.from({ length: end - first }, (_, offset) => first + offset));
    const held = Math.floor(this.position / columns);
    // The row of the current example stays wherever one scrolls: it has the focus, and the grid's one tab stop.
    if (held < rows) wanted.add(held);
    for (const [index, row] of this.rows) {
      if (wanted.has(index)) continue;
      row.remove();
      this.rows.delete(index);
    }
    for (const index of wanted) {
      if (this.rows.has(index)) continue;
      const row = element('div', { role: 'row', class: 'row', 'aria-rowindex': index + 1 }, ...this.cells(index));
      row.style.transform = `translateY(${index * rowHeight}px)`;
      row.style.height = `${rowHeight}px`;
      row.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
      this.rows.set(index, row);
      this.insert(index, row);
    }
    clearTimeout(this.asking);
    const ask = () => this.options.pages.want(first * columns, Math.max(first * columns + 1, end * columns));
    this.asking = setTimeout(ask, restBeforeAsking);
  }

  /** In the order of the rows, which is the order of reading. */
  private insert(index: number, row: HTMLElement): void {
    const later = [...this.rows.keys()].filter((other) => other > index);
    const next = later.length > 0 ? this.rows.get(Math.min(...later)) : undefined;
    this.grid.insertBefore(row, next ?? null);
  }

  private cells(row: number): readonly HTMLElement[] {
    const { pages, file } = this.options;
    const from = row * this.geometry.columns;
    const length = Math.min(this.geometry.columns, pages.total - from);
    return Array.from({ length }, (_, column) => {
      const position = from + column;
      const cell = gridCell(position, column, pages.at(position), file);
      markCurrent(cell, position === this.position);
      return cell;
    });
  }

  private cellAt(position: number): HTMLElement | undefined {
    const row = this.rows.get(Math.floor(position / this.geometry.columns));
    return row?.querySelector<HTMLElement>(`[data-position="${position}"]`) ?? undefined;
  }

  private hasFocus(): boolean {
    return this.grid.contains(document.activeElement);
  }

  private dropRows(): void {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
  }
}

function markCurrent(cell: HTMLElement, current: boolean): void {
  cell.tabIndex = current ? 0 : -1;
  cell.setAttribute('aria-selected', String(current));
}
