import type { Preview } from '../src/protocol/model';
import { element } from './element';

type ImagePreview = Extract<Preview, { kind: 'image' }>;
type TextPreview = Extract<Preview, { kind: 'text' }>;

/** The image at its own resolution; style sheets scale it with hard pixels. `name` absent: decoration beside a text. */
export function imageCanvas(image: ImagePreview, name?: string): HTMLCanvasElement {
  const canvas = element('canvas', {
    class: 'pixels',
    width: image.width,
    height: image.height,
    ...(name === undefined ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': name }),
  });
  paint(canvas, image);
  return canvas;
}

/** Paints over whatever the canvas showed, taking on the image's size. */
export function paint(canvas: HTMLCanvasElement, { width, height, channels, pixels }: ImagePreview): void {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return;
  const target = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      target.data[pixel * 4 + channel] = pixels[pixel * channels + (channels === 3 ? channel : 0)] ?? 0;
    }
    target.data[pixel * 4 + 3] = 255;
  }
  context.putImageData(target, 0, 0);
}

/** All that a preview holds, for the place where an example stands alone. */
export function fullPreview(preview: Preview, name: string): HTMLElement {
  switch (preview.kind) {
    case 'image':
      return imageCanvas(preview, `Image of ${name}`);
    case 'row':
      return element(
        'div',
        // Reachable by Tab, since it scrolls.
        { class: 'columns', tabindex: 0, role: 'region', 'aria-label': `Columns of ${name}` },
        element(
          'table',
          {},
          element(
            'tbody',
            {},
            ...preview.columns.map((column, index) =>
              element(
                'tr',
                {},
                element('th', { scope: 'row' }, column),
                element('td', {}, preview.values[index] ?? ''),
              ),
            ),
          ),
        ),
      );
    case 'text':
      return element(
        'blockquote',
        { class: 'passage', tabindex: 0, role: 'region', 'aria-label': `Text of ${name}` },
        ...tokenSpans(preview),
      );
  }
}

/** The text, its tokens told apart where they are known; what lies between tokens stays plain. */
function tokenSpans({ text, tokens = [] }: TextPreview): (HTMLElement | string)[] {
  const parts: (HTMLElement | string)[] = [];
  let done = 0;
  for (const [from, to] of tokens) {
    // Tokens of one character share its place: it is shown once.
    if (from < done || to > text.length) continue;
    if (from > done) parts.push(text.slice(done, from));
    parts.push(element('span', { class: 'token' }, text.slice(from, to)));
    done = to;
  }
  return [...parts, text.slice(done)];
}

/** One line of a row or a text, or a thumbnail. */
export function shortPreview(preview: Preview): HTMLElement {
  switch (preview.kind) {
    case 'image':
      return imageCanvas(preview);
    case 'row': {
      const line = preview.columns.map((column, index) => `${column} ${preview.values[index] ?? ''}`).join(', ');
      return element('span', { class: 'excerpt' }, line);
    }
    case 'text':
      return element('span', { class: 'excerpt' }, preview.text);
  }
}
