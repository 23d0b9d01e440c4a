import type { DataFile } from '../../../src/protocol/viewApi';
import { element, fill } from '../../element';
import { percent, significant } from '../../numbers';
import { shortPreview } from '../../preview';
import { button } from '../../ui';
import { verdict } from '../../verdict';
import { hasLabel, isWrong, labelName } from '../../vocabulary';
import type { DataExample } from './pages';

export interface CurrentBar {
  readonly node: HTMLElement;
  show(example: DataExample | undefined): void;
}

/** The current example in full words, for what is too long for a cell, and the way to its attribution for the mouse. */
export function currentBar(file: DataFile, attribute: () => void): CurrentBar {
  const facts = element('p', { class: 'facts' });
  const node = element(
    'footer',
    { class: 'current' },
    facts,
    file.canAttribute && button('Attribute This Prediction', attribute),
  );
  node.hidden = true;
  return {
    node,
    show(example) {
      node.hidden = example === undefined;
      if (!example) return;
      const { id, label, prediction, preview } = example;
      fill(
        facts,
        element('strong', {}, `#${id.index}`),
        hasLabel(label) && element('span', {}, `label ${labelName(label, file.classes)}`),
        prediction &&
          element(
            'span',
            {},
            hasLabel(prediction.predicted)
              ? `predicted ${labelName(prediction.predicted, file.classes)} ${percent(prediction.confidence)}`
              : `loss ${significant(prediction.loss, 3)} a token`,
          ),
        prediction && hasLabel(label) && verdict(isWrong(label, prediction)),
        preview.kind !== 'image' && shortPreview(preview),
      );
    },
  };
}
