import { element } from '../../element';
import { button } from '../../ui';

/** Shown where there is nothing to show yet, with the way on. */
export function emptyState(reason: 'no-run' | 'no-query', setUp: () => void): HTMLElement {
  if (reason === 'no-run') {
    const start = button('Set Up This Workspace', setUp);
    start.dataset.key = 'act';
    return element(
      'section',
      { class: 'empty' },
      element('h2', {}, 'No training run set up yet'),
      element(
        'p',
        {},
        'Whence needs to know which model, checkpoints and data belong together. It looks for them and writes what it found to ',
        element('code', {}, 'whence.json'),
        '.',
      ),
      start,
    );
  }
  return element(
    'section',
    { class: 'empty' },
    element('h2', {}, 'No prediction chosen yet'),
    element('p', {}, 'See which training examples made the model predict what it did:'),
    element(
      'ol',
      {},
      element('li', {}, 'Open a test file from the Runs view above, or from the Explorer.'),
      element(
        'li',
        {},
        'Right-click an image, or a line of a ',
        element('code', {}, '.csv'),
        ' or ',
        element('code', {}, '.jsonl'),
        ' file.',
      ),
      element('li', {}, 'Choose ', element('strong', {}, 'Attribute This Prediction'), '.'),
    ),
  );
}
