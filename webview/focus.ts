/**
 * Runs a change of `root`'s content and puts the focus back on the element with the same `data-key`, if the change replaced
 * the one that had it.
 */
export function keepingFocus(root: HTMLElement, change: () => void): void {
  const held = document.activeElement;
  const key = held instanceof HTMLElement && root.contains(held) ? held.dataset.key : undefined;
  change();
  if (key === undefined || (held?.isConnected ?? false)) return;
  const successor = [...root.querySelectorAll<HTMLElement>('[data-key]')].find((node) => node.dataset.key === key);
  successor?.focus({ preventScroll: true });
}
