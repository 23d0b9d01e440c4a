/** Small drawings on a 16 x 16 field, in the colour of `.icon` and its kind; the words beside them say the same. */
const paths = {
  wrong: 'M3.5 3.5 12.5 12.5 M12.5 3.5 3.5 12.5',
  right: 'M2.5 8.5 6 12 13.5 4',
  failed: 'M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 1 0 0-12.5 M5.5 5.5 10.5 10.5 M10.5 5.5 5.5 10.5',
  stopped: 'M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 1 0 0-12.5 M5.5 5.5h5v5h-5z',
  warning: 'M8 2 14.5 13.5h-13z M8 6.5v3.5 M8 11.5v.6',
} as const;

export type IconName = keyof typeof paths;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', paths[name]);
  svg.setAttribute('class', `icon ${name}`);
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(path);
  return svg;
}
