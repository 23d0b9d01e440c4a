import { connect } from '../../src/protocol/connection';
import { toErrorData } from '../../src/protocol/errors';
import type { DataFile, DataHostApi, DataOrder, DataViewApi } from '../../src/protocol/viewApi';
import { element, fill } from '../element';
import { failureStatus } from '../failure';
import { keepingFocus } from '../focus';
import type { HostLink } from '../port';
import { progressRing } from '../ui';
import { type OrderView, orderView } from './dataGrid/orderView';

/** Which example is to be current; kept by the page while the editor is hidden. */
interface Place {
  readonly order: DataOrder;
  readonly position: number;
}

/** The data editor: all examples of a file as a grid of images, with predictions where a run uses the file. */
export function startDataGrid(root: HTMLElement, link: HostLink): void {
  const { remote: host, serve } = connect<DataHostApi, DataViewApi>(link.port, { peer: 'VS Code' });
  const memory = link.memory<Place>();
  let place: Place = memory.read() ?? { order: 'file', position: 0 };
  let file: DataFile | undefined;
  let shown: OrderView | undefined;
  /** Where the host or the user asked to go, for as long as it has not been reached. */
  let sought: Place | undefined;
  root.classList.add('data');

  const title = () => element('h1', { class: 'spoken' }, file?.name ?? 'Examples');

  async function open(): Promise<void> {
    if (!shown) fill(root, title(), element('p', { class: 'waiting' }, progressRing('Opening'), 'Opening\u2026'));
    try {
      file = await host.ready({});
      show();
    } catch (error) {
      fail(error);
    }
  }

  function show(): void {
    if (!file) return;
    shown?.dispose();
    const { order, position } = sought ?? place;
    shown = orderView(root, host, file, {
      order: file.run ? order : 'file',
      position,
      reveal: sought !== undefined,
      choose(other) {
        place = { order: other, position: 0 };
        memory.write(place);
        keepingFocus(root, show);
      },
      seek(index) {
        sought = { order: 'file', position: index };
        show();
      },
      moved(at) {
        place = { order, position: at };
        memory.write(place);
      },
      failed: fail,
    });
    sought = undefined;
  }

  function fail(error: unknown): void {
    shown?.dispose();
    shown = undefined;
    fill(
      root,
      title(),
      failureStatus(toErrorData(error), { label: 'Try Again', kind: 'retry' }, () => void open()),
    );
  }

  serve({
    reveal: async ({ index }) => {
      if (shown) shown.reveal(index);
      else sought = { order: 'file', position: index };
    },
    refresh: open,
  });
  void open();
}
