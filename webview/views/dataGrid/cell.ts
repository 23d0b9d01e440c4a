import type { Label, Prediction } from '../../../src/protocol/model';
import type { DataFile } from '../../../src/protocol/viewApi';
import { element, spoken } from '../../element';
import { icon } from '../../icons';
import { percent, significant } from '../../numbers';
import { shortPreview } from '../../preview';
import { hasLabel, isWrong, labelName } from '../../vocabulary';
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
  const wrong = prediction !== undefined && isWrong(example.label, prediction);
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
      hasLabel(example.label) && spoken(' labelled '),
      hasLabel(example.label) && element('span', { class: 'label' }, labelName(example.label, file.classes)),
    ),
    prediction && predictionLine(example.label, prediction, file.classes),
  );
}

function predictionLine(label: Label, prediction: Prediction, classes: readonly string[]): HTMLElement {
  // Every token has a prediction of its own: what is left to say is how hard they were.
  if (!hasLabel(prediction.predicted)) {
    return element('span', { class: 'prediction' }, spoken(' loss a token '), significant(prediction.loss, 3));
  }
  const name = element('span', { class: 'label' }, labelName(prediction.predicted, classes));
  const confidence = element('span', { class: 'confidence' }, percent(prediction.confidence));
  const line = (...parts: readonly Node[]) => element('span', { class: 'prediction' }, ...parts, confidence);
  if (!hasLabel(label)) return line(spoken(' predicted '), name);
  // A right prediction's name stands in the line above.
  if (!isWrong(label, prediction)) return line(icon('right'), spoken(' rightly predicted '));
  return line(icon('wrong'), spoken(' wrongly predicted '), name);
}

/** Everything that a cell shows, in words, for when a label is too long for it. */
function cellTitle({ id, label, prediction }: DataExample, { classes }: DataFile): string {
  const given = hasLabel(label) ? `#${id.index}, labelled ${labelName(label, classes)}` : `#${id.index}`;
  if (!prediction) return given;
  if (!hasLabel(prediction.predicted)) return `${given}, loss ${significant(prediction.loss, 3)} a token`;
  const predicted = `${given}, predicted ${labelName(prediction.predicted, classes)} ${percent(prediction.confidence)}`;
  if (!hasLabel(label)) return predicted;
  return `${predicted}, ${isWrong(label, prediction) ? 'wrong' : 'right'}`;
}

/** What VS Code's own context menu goes by. */
function menuContext(index: number, canAttribute: boolean): string {
  return JSON.stringify({
    ...(canAttribute ? { webviewSection: 'example', index } : {}),
    preventDefaultContextMenuItems: true,
  });
}
