import { scaleLinear, select } from 'd3';

/** The range of values that bars share, so that their lengths compare. Holds zero. */
export type BarDomain = readonly [least: number, greatest: number];

/** The least domain that holds zero and all values. */
export function zeroAndAll(values: readonly number[]): BarDomain {
  return [Math.min(0, ...values), Math.max(0, ...values)];
}

/**
 * A horizontal bar from zero to `value`: to the right where positive, to the left where negative. As wide as its container;
 * decoration only, for a number that stands beside it as text.
 */
export function signedBar(value: number, domain: BarDomain): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const position = scaleLinear().domain(domain).range([0, 100]).clamp(true);
  const zero = position(0);
  const end = position(value);
  const chart = select(svg).attr('class', 'signed-bar').attr('aria-hidden', 'true');
  chart
    .append('rect')
    .attr('class', value < 0 ? 'bar away' : 'bar towards')
    .attr('x', `${Math.min(zero, end)}%`)
    .attr('width', `${Math.abs(end - zero)}%`)
    .attr('height', '100%');
  chart
    .append('line')
    .attr('class', 'zero')
    .attr('x1', `${zero}%`)
    .attr('x2', `${zero}%`)
    .attr('y1', 0)
    .attr('y2', '100%');
  return svg;
}

/** A direction's colour and pattern, for headings. */
export function swatch(direction: 'towards' | 'away'): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  select(svg)
    .attr('class', 'swatch')
    .attr('aria-hidden', 'true')
    .append('rect')
    .attr('class', `bar ${direction}`)
    .attr('width', '100%')
    .attr('height', '100%');
  return svg;
}
