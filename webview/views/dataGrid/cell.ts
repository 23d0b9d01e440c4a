import type { DataFile } from '../../../src/protocol/viewApi';
import { element, spoken } from '../../element';
import { icon } from '../../icons';
import { percent } from '../../numbers';
import { shortPreview } from '../../preview';
import { labelName } from '../../vocabulary';
import type { DataExample } from './pages';

/** Makes one cell of the grid. `example` absent: still being fetched. */
export function gridCell(
  position: number,
  column: number,
  example: DataExample | undefined,
  file: DataFile,
): HTMLElement {
  if (!example) {
    return element(
      'div',
      { role: 'gridcell', class: 'cell waiting', 'aria-colindex': column + 1, tabindex: -1, 'data-position': position },
      element('span', { class: 'picture' }),
      element('span', { class: 'caption' }, '\u2026'),
    );
  }
  const { prediction, id } = example;
  const wrong = prediction !== undefined && prediction.predicted !== example.label;
  const label = labelName(example.label, file.classes);
  return element(
    'div',
    {
      role: 'gridcell',
      class: wrong ? 'cell wrong' : 'cell',
      tabindex: -1,
      'aria-colindex': column + 1,
      'data-position': position,
      'data-index': id.index,
      'data-vscode-context': menuContext(id.index, file.canAttribute),
      title: cellTitle(example, file),
    },
    element('span', { class: 'picture' }, shortPreview(example.preview)),
    element(
      'span',
      { class: 'caption' },
      element('span', { class: 'index' }, `#${id.index}`),
      spoken(' labelled '),
      element('span', { class: 'label' }, label),
    ),
    prediction &&
      element(
        'span',
        { class: 'prediction' },
        icon(wrong ? 'wrong' : 'right'),
        spoken(wrong ? ' wrongly predicted ' : ' rightly predicted '),
        wrong && element('span', { class: 'label' }, labelName(prediction.predicted, file.classes)),
        element('span', { class: 'confidence' }, percent(prediction.confidence)),
      ),
  );
}

/** Everything that a cell shows, in words, for when a label is too long for it. */
function cellTitle({ id, label, prediction }: DataExample, { classes }: DataFile): string {
  const given = `#${id.index}, labelled ${labelName(label, classes)}`;
  if (!prediction) return given;
  const verdict = prediction.predicted === label ? 'right' : 'wrong';
  return `${given}, predicted ${labelName(prediction.predicted, classes)} ${percent(prediction.confidence)}, ${verdict}`;
}

/** What VS Code's own context menu goes by. */
function menuContext(index: number, canAttribute: boolean): string {
  return JSON.stringify({
    ...(canAttribute ? { webviewSection: 'example', index } : {}),
    preventDefaultContextMenuItems: true,
  });
}
