import { scaleBand, scaleLinear, select } from 'd3';
import type { Segment } from '../../src/protocol/model';
import { element, spoken } from '../element';
import { count } from '../numbers';
import type { BarDomain } from './signedBar';

const height = 32;
const step = 8;

export interface SegmentChart {
  /** Contributions that sum to the example's score. */
  readonly values: readonly number[];
  readonly segments: readonly Segment[];
  /** The range of contributions that all charts that stand together share. */
  readonly domain: BarDomain;
  readonly write: (value: number) => string;
}

/** One column per segment, up from the middle where positive, down where negative; the same numbers as text for who can't see it. */
export function segmentChart(chart: SegmentChart): HTMLElement {
  const { values, domain } = chart;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const width = values.length * step;
  const x = scaleBand(values.keys(), [0, width]).paddingInner(0.25);
  const y = scaleLinear().domain(domain).range([height, 0]);
  const drawing = select(svg)
    .attr('class', 'segment-chart')
    .attr('aria-hidden', 'true')
    .attr('viewBox', `0 0 ${width} ${height}`)
    .attr('width', width)
    .attr('height', height);
  drawing.append('line').attr('class', 'zero').attr('x1', 0).attr('x2', width).attr('y1', y(0)).attr('y2', y(0));
  drawing
    .selectAll('rect')
    .data(values)
    .join('rect')
    .attr('class', (value) => (value < 0 ? 'bar away' : 'bar towards'))
    .attr('x', (_, index) => x(index) ?? 0)
    .attr('width', x.bandwidth())
    .attr('y', (value) => Math.min(y(value), y(0)))
    .attr('height', (value) => Math.abs(y(value) - y(0)));
  const twin = segmentText(chart);
  return element('span', { class: 'segments', title: twin }, svg, spoken(twin));
}

/** "By segment: steps 0-390 +0.010; steps 390-780 +0.050." */
export function segmentText({ values, segments, write }: Omit<SegmentChart, 'domain'>): string {
  const parts = values.map((value, index) => `${segmentName(segments[index], index)} ${write(value)}`);
  return `By segment: ${parts.join('; ')}.`;
}

export function segmentName(segment: Segment | undefined, index: number): string {
  return segment ? `steps ${count(segment.from)}\u2013${count(segment.to)}` : `segment ${index + 1}`;
}
