/** `style` is missing on purpose: the content security policy forbids it; set properties of `node.style` instead. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>> & { readonly style?: never };
export type Child = Node | string | false | null | undefined;

/** An HTML element with attributes and children. `true` sets an empty attribute, `false` and `undefined` none. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children.filter(isPresent));
  return node;
}

export function setAttributes(node: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Replaces an element's children, keeping it in its place. */
export function fill(node: Element, ...children: readonly Child[]): void {
  node.replaceChildren(...children.filter(isPresent));
}

/** Text for screen readers alone: the twin of something drawn. */
export function spoken(text: string): HTMLElement {
  return element('span', { class: 'spoken' }, text);
}

function isPresent(child: Child): child is Node | string {
  return child !== false && child !== null && child !== undefined;
}
