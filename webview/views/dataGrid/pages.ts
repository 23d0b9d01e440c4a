import type { RemoteApi } from '../../../src/protocol/connection';
import type { Progress } from '../../../src/protocol/model';
import type { DataHostApi, DataOrder, DataPage } from '../../../src/protocol/viewApi';

/** Examples per ask. */
export const pageSize = 100;
/** Pages kept, most recently used: some thousand small images. */
const capacity = 40;

export type DataExample = DataPage['examples'][number];

export interface PageListener {
  progressed(progress: Progress): void;
  loaded(page: number): void;
  failed(error: unknown): void;
  /** The order turned out to hold another number of examples. */
  resized(total: number): void;
}

/** The examples of one order, fetched a page at a time and only while somebody looks at them. */
export class ExamplePages {
  private readonly kept = new Map<number, DataPage['examples']>();
  private readonly asked = new Map<number, AbortController>();
  private failing = false;
  private held: number | undefined;

  constructor(
    private readonly host: RemoteApi<DataHostApi>,
    readonly order: DataOrder,
    private readonly listener: PageListener,
  ) {}

  /** How many examples the order holds; zero until the first page has come. */
  get total(): number {
    return this.held ?? 0;
  }

  /** The example at a position of the order, if it is here. */
  at(position: number): DataExample | undefined {
    return this.kept.get(Math.floor(position / pageSize))?.[position % pageSize];
  }

  /** Position of an example among those that are here. */
  positionOf(index: number): number | undefined {
    for (const [page, examples] of this.kept) {
      const offset = examples.findIndex(({ id }) => id.index === index);
      if (offset >= 0) return page * pageSize + offset;
    }
    return undefined;
  }

  /** Fetches what is missing of these positions, and lets go of pages that were asked for but have scrolled away. */
  want(from: number, to: number): void {
    if (this.failing) return;
    const first = Math.floor(Math.max(0, from) / pageSize);
    const last = Math.floor(Math.max(0, to - 1) / pageSize);
    for (const [page, controller] of this.asked) {
      if (page < first || page > last) this.release(page, controller);
    }
    for (let page = first; page <= last; page++) {
      const examples = this.kept.get(page);
      if (examples) this.keep(page, examples);
      else if (!this.asked.has(page)) void this.fetch(page);
    }
  }

  dispose(): void {
    for (const [page, controller] of this.asked) this.release(page, controller);
  }

  private release(page: number, controller: AbortController): void {
    this.asked.delete(page);
    controller.abort();
  }

  private async fetch(page: number): Promise<void> {
    const controller = new AbortController();
    this.asked.set(page, controller);
    try {
      const request = { order: this.order, from: page * pageSize, count: pageSize };
      const { total, examples } = await this.host.page(request, {
        signal: controller.signal,
        onProgress: (progress) => this.listener.progressed(progress),
      });
      if (this.asked.get(page) !== controller) return;
      this.asked.delete(page);
      this.keep(page, examples);
      if (total !== this.held) {
        this.held = total;
        this.listener.resized(total);
      }
      this.listener.loaded(page);
    } catch (error) {
      if (this.asked.get(page) !== controller) return;
      this.asked.delete(page);
      // One message is enough; Try Again makes new pages.
      this.failing = true;
      this.listener.failed(error);
    }
  }

  private keep(page: number, examples: DataPage['examples']): void {
    this.kept.delete(page);
    this.kept.set(page, examples);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= capacity) break;
      this.kept.delete(oldest);
    }
  }
}
