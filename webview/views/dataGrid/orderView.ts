import type { RemoteApi } from '../../../src/protocol/connection';
import type { DataFile, DataHostApi, DataOrder } from '../../../src/protocol/viewApi';
import { element, fill } from '../../element';
import { percent } from '../../numbers';
import { button, progressRing } from '../../ui';
import { currentBar } from './currentBar';
import { ExamplePages } from './pages';
import { toolbar } from './toolbar';
import { VirtualGrid } from './virtualGrid';

export interface OrderOptions {
  readonly order: DataOrder;
  /** The position to begin at. */
  readonly position: number;
  /** Whether somebody asked for that position: then it gets the focus. */
  readonly reveal: boolean;
  choose(order: DataOrder): void;
  /** An example is wanted that need not be in this order. */
  seek(index: number): void;
  moved(position: number): void;
  failed(error: unknown): void;
}

/** One order of a file's examples on the whole page. */
export interface OrderView {
  reveal(index: number): void;
  dispose(): void;
}

export function orderView(
  root: HTMLElement,
  host: RemoteApi<DataHostApi>,
  file: DataFile,
  options: OrderOptions,
): OrderView {
  const { order } = options;
  const stage = element('div', { class: 'stage' });
  const howFar = element('span');
  let first = true;

  const pages = new ExamplePages(host, order, {
    progressed({ done, total }) {
      if (first && total > 0) howFar.textContent = percent(done / total);
    },
    loaded(page) {
      grid.loaded(page);
      if (!first) return;
      first = false;
      const start = Math.min(options.position, pages.total - 1);
      if (pages.total > 0) grid.moveTo(start, options.reveal && document.hasFocus());
      if (options.reveal) grid.flash(start);
    },
    resized(total) {
      bar.setTotal(total);
      if (total === 0) {
        fill(stage, nothing(order, options.choose));
        return;
      }
      if (!grid.node.isConnected) fill(stage, grid.node);
      grid.layout();
    },
    failed: options.failed,
  });
  const attribute = (position: number) => {
    const example = pages.at(position);
    if (!example || !file.canAttribute) return;
    host.attribute({ index: example.id.index }).catch(options.failed);
  };
  const grid = new VirtualGrid({
    file,
    pages,
    open: attribute,
    current(position) {
      details.show(pages.at(position));
      if (!first) options.moved(position);
    },
  });
  const details = currentBar(file, () => attribute(grid.at));
  const goTo = (index: number) => {
    const position = order === 'file' ? index : pages.positionOf(index);
    if (position === undefined || position >= pages.total) return options.seek(index);
    // The host reveals examples while the user's hands are in another view: don't take the focus from there.
    grid.moveTo(position, document.hasFocus());
    grid.flash(position);
  };
  const bar = toolbar({ file, order, choose: options.choose, goTo });

  bar.setTotal(undefined);
  const what = order === 'file' ? 'Reading' : 'Looking for wrong predictions';
  fill(stage, element('p', { class: 'waiting' }, progressRing(what), `${what}\u2026 `, howFar));
  const setUp = () => host.setUp({}).catch(options.failed);
  fill(
    root,
    element('h1', { class: 'spoken' }, file.name),
    bar.node,
    !file.run && setUpHint(() => void setUp()),
    stage,
    details.node,
  );
  pages.want(options.position, options.position + 1);

  return {
    reveal: goTo,
    dispose() {
      grid.dispose();
      pages.dispose();
    },
  };
}

function setUpHint(setUp: () => void): HTMLElement {
  return element(
    'section',
    { class: 'status note', 'aria-label': 'Not set up' },
    element(
      'p',
      { class: 'message' },
      'No training run uses this file, so there are no predictions to show or attribute.',
    ),
    button('Set Up This Workspace', setUp),
  );
}

function nothing(order: DataOrder, choose: (order: DataOrder) => void): HTMLElement {
  if (order === 'file') return element('p', { class: 'nothing' }, 'This file holds no examples.');
  return element(
    'div',
    { class: 'nothing' },
    element('p', {}, 'Every prediction agrees with its label.'),
    button('Show All', () => choose('file'), 'secondary'),
  );
}
