const pageSize = 8;

/**
 * One tab stop for a whole list: arrows, Page Up and Down, Home and End move it, Enter, Space and click open an item.
 * Items are `[role=option]` inside `list`; they must be there already.
 */
export function rovingFocus(list: HTMLElement, open: (item: HTMLElement) => void): void {
  const items = [...list.querySelectorAll<HTMLElement>('[role=option]')];
  const itemOf = (target: EventTarget | null) =>
    items.findIndex((item) => target instanceof Node && item.contains(target));
  const setStop = (stop: number) => {
    for (const [index, item] of items.entries()) item.tabIndex = index === stop ? 0 : -1;
  };
  const choose = (index: number) => {
    const chosen = items[index];
    if (!chosen) return;
    for (const item of items) item.setAttribute('aria-selected', String(item === chosen));
    open(chosen);
  };
  setStop(0);

  list.addEventListener('focusin', (event) => {
    const index = itemOf(event.target);
    if (index >= 0) setStop(index);
  });
  list.addEventListener('click', (event) => choose(itemOf(event.target)));
  list.addEventListener('keydown', (event) => {
    const at = itemOf(event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(at);
      return;
    }
    const next = destination(event.key, at, items.length);
    if (next === undefined) return;
    event.preventDefault();
    items[next]?.focus();
  });
}

function destination(key: string, at: number, length: number): number | undefined {
  switch (key) {
    case 'ArrowDown':
      return Math.min(at + 1, length - 1);
    case 'ArrowUp':
      return Math.max(at - 1, 0);
    case 'PageDown':
      return Math.min(at + pageSize, length - 1);
    case 'PageUp':
      return Math.max(at - pageSize, 0);
    case 'Home':
      return 0;
    case 'End':
      return length - 1;
    default:
      return undefined;
  }
}
