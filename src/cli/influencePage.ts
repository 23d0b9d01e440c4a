import type { Example, Influence, InfluentialExample, Preview, TrainingRun } from '../protocol/model';
import { pageStyle } from './pageStyle';
import { thumbnailUri } from './thumbnail';
import {
  type Direction,
  directions,
  exampleName,
  labelName,
  measurementName,
  methodNames,
  placeName,
  predictionWords,
  signed,
  truncationWords,
} from './words';

/** An influence as one HTML page that needs nothing else: no script, no file, no network. */
export function influencePage(influence: Influence, run: TrainingRun): string {
  const { query, measurement, segments, method } = influence;
  const [towards, away] = directions(measurement, run.classes);
  const title = `${exampleName(query.id)} in ${run.name}`;
  const shown = [...influence.towards, ...influence.away];
  const scales: Scales = {
    score: largestOf(shown.map(({ score }) => score)),
    segment: largestOf(shown.flatMap(({ bySegment }) => bySegment)),
  };
  const facts = [
    ['Method', methodNames[method]],
    ['Measurement', measurementName(measurement, run.classes)],
    ['Training examples scored', String(influence.examples)],
    ...(influence.truncation ? [['Truncated', truncationWords(influence.truncation)]] : []),
    ['Segments', segments.map(({ from, to }) => `${from}–${to}`).join(', ') || 'none'],
  ];
  const segmentNames = segments.map(({ from, to }) => `steps ${from} to ${to}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
<header>
${preview(query.preview, `Query ${exampleName(query.id)}`)}
<div>
<h1>${escapeHtml(exampleName(query.id))}</h1>
<p class="verdict">${escapeHtml(predictionWords(query.label, query.prediction, run))}</p>
<p class="place">${escapeHtml(placeName(query.location, run.folder))}</p>
<dl>${facts.map(([term, fact]) => `<div><dt>${escapeHtml(term ?? '')}</dt><dd>${escapeHtml(fact ?? '')}</dd></div>`).join('')}</dl>
</div>
</header>
<div class="lists">
${list(towards, 'towards', influence.towards, run, scales, segmentNames)}
${list(away, 'away', influence.away, run, scales, segmentNames)}
</div>
</main>
</body>
</html>
`;
}

/** What the longest bar of its kind stands for. */
interface Scales {
  readonly score: number;
  readonly segment: number;
}

function largestOf(values: readonly number[]): number {
  return Math.max(...values.map(Math.abs), Number.MIN_VALUE);
}

function list(
  { heading, verb }: Direction,
  side: 'towards' | 'away',
  examples: readonly InfluentialExample[],
  run: TrainingRun,
  scales: Scales,
  segmentNames: readonly string[],
): string {
  const items = examples.map(({ example, score, bySegment }) => {
    const width = (100 * Math.abs(score)) / scales.score;
    const parts = bySegment.length > 1 ? bySegments(bySegment, scales.segment, segmentNames) : '';
    return `<li>
${preview(example.preview, altText(example, run.classes))}
<div>
<p><strong>${escapeHtml(labelName(example.label, run.classes))}</strong> <span class="id">${escapeHtml(exampleName(example.id))}</span>
<span class="score">${escapeHtml(verb)} ${escapeHtml(signed(score))}</span></p>
<div class="bar" aria-hidden="true"><span style="width:${width.toFixed(2)}%"></span></div>
<div class="detail">${parts}<p class="place">${escapeHtml(placeName(example.location, run.folder))}</p></div>
</div>
</li>`;
  });
  const body = items.length > 0 ? `<ol>\n${items.join('\n')}\n</ol>` : '<p>No training example did.</p>';
  return `<section class="${side}" aria-labelledby="${side}"><h2 id="${side}">${escapeHtml(heading)}</h2>\n${body}\n</section>`;
}

/** One small signed bar a segment, above or below a middle line, with the figures for who does not see bars. */
function bySegments(parts: readonly number[], largest: number, names: readonly string[]): string {
  const bars = parts.map((part, at) => {
    const height = (50 * Math.abs(part)) / largest;
    const side = part < 0 ? 'below' : 'above';
    const text = `${names[at] ?? `segment ${at + 1}`}: ${signed(part)}`;
    return `<li title="${escapeHtml(text)}"><span class="${side}" style="height:${height.toFixed(2)}%"></span><b>${escapeHtml(text)}</b></li>`;
  });
  return `<ul class="segments" aria-label="By segment">${bars.join('')}</ul>`;
}

function altText({ id, label }: Example, classes: readonly string[]): string {
  return `Training example ${exampleName(id)}, label ${labelName(label, classes)}`;
}

function preview(shown: Preview, alt: string): string {
  switch (shown.kind) {
    case 'image':
      return `<img src="${thumbnailUri(shown)}" width="${shown.width}" height="${shown.height}" alt="${escapeHtml(alt)}">`;
    case 'row': {
      const cells = shown.columns.map(
        (column, at) => `<dt>${escapeHtml(column)}</dt><dd>${escapeHtml(shown.values[at] ?? '')}</dd>`,
      );
      return `<details><summary>${cells.length} columns</summary><dl class="row">${cells.join('')}</dl></details>`;
    }
    case 'text':
      return `<blockquote>${escapeHtml(shown.text)}</blockquote>`;
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
