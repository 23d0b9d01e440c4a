import type { InfluenceChoice, InfluenceResult } from '../../../src/protocol/viewApi';
import { element } from '../../element';
import { dropdown } from '../../ui';
import { measurementChoices, measurementMeaning, methodMeaning, methods, truncationMeaning } from '../../vocabulary';

/** Which method, which measurement, and what its numbers mean. */
export function pickers(result: InfluenceResult, choose: (choice: InfluenceChoice) => void): HTMLElement {
  const { method, measurement } = result.influence;
  const methodPicker = dropdown('Method', methods, method, (value) => choose({ method: value }));
  const measurementPicker = dropdown('Measurement', measurementChoices(result), measurement.kind, (value) =>
    choose({ measurement: value }),
  );
  methodPicker.dataset.key = 'method';
  measurementPicker.dataset.key = 'measurement';
  return element(
    'section',
    { class: 'pickers', 'aria-label': 'Method and measurement' },
    element(
      'div',
      { class: 'controls' },
      element('div', { class: 'control' }, element('span', { 'aria-hidden': 'true' }, 'Method'), methodPicker),
      element(
        'div',
        { class: 'control' },
        element('span', { 'aria-hidden': 'true' }, 'Measurement'),
        measurementPicker,
      ),
    ),
    element(
      'p',
      { class: 'meaning' },
      `${measurementMeaning(result)} ${methodMeaning(result)} ${truncationMeaning(result)}`.trim(),
    ),
  );
}
