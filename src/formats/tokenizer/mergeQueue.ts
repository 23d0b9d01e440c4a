interface Waiting {
  readonly rank: number;
  /** The place of the left one of the two. */
  readonly at: number;
  /** What they become. */
  readonly id: number;
}

/** Merges that wait, the one of the lowest rank first, of equal ones the leftmost: a binary heap. */
export class MergeQueue {
  private readonly heap: Waiting[] = [];

  push(rank: number, at: number, id: number): void {
    const { heap } = this;
    heap.push({ rank, at, id });
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!precedes(heap[child]!, heap[parent]!)) return;
      this.swap(child, parent);
      child = parent;
    }
  }

  pop(): Waiting | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return top;
    heap[0] = last;
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < heap.length && precedes(heap[child]!, heap[least]!)) least = child;
      }
      if (least === parent) return top;
      this.swap(least, parent);
      parent = least;
    }
  }

  private swap(a: number, b: number): void {
    const held = this.heap[a]!;
    this.heap[a] = this.heap[b]!;
    this.heap[b] = held;
  }
}

function precedes(a: Waiting, b: Waiting): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
}
