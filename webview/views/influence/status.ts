import type { ExampleId, Progress } from '../../../src/protocol/model';
import { element, setAttributes } from '../../element';
import { icon } from '../../icons';
import { duration, percent } from '../../numbers';
import { button, progressRing } from '../../ui';
import { exampleName, phases } from '../../vocabulary';

export interface RunningStatus {
  readonly node: HTMLElement;
  update(query: ExampleId, progress: Progress | undefined): void;
}

/** The bar of a running attribution. It is updated in place, so that Cancel keeps the focus. */
export function runningStatus(cancel: () => void): RunningStatus {
  const title = element('strong');
  const phase = element('span', { class: 'phase' });
  const done = element('span', { class: 'done' });
  const bar = element('div', { class: 'fill' });
  const meter = element(
    'div',
    { class: 'meter', role: 'progressbar', 'aria-label': 'Attribution', 'aria-valuemin': 0 },
    bar,
  );
  const cancelButton = button('Cancel', cancel, 'secondary');
  cancelButton.dataset.key = 'cancel';
  const node = element(
    'section',
    { class: 'status running', 'aria-label': 'Progress' },
    element('div', { class: 'heading' }, progressRing('Running'), title),
    element('p', {}, phase, done),
    meter,
    cancelButton,
  );
  return {
    node,
    update(query, progress) {
      title.textContent = `Attributing ${exampleName(query)}`;
      if (!progress) {
        phase.textContent = 'Starting';
        done.textContent = '';
        meter.classList.add('unknown');
        setAttributes(meter, { 'aria-valuenow': undefined, 'aria-valuemax': undefined, 'aria-valuetext': 'Starting' });
        bar.style.width = '0';
        return;
      }
      const fraction = progress.total > 0 ? Math.min(1, Math.max(0, progress.done / progress.total)) : 0;
      const what = progress.message ? `${phases[progress.phase]}: ${progress.message}` : phases[progress.phase];
      const left = progress.remainingSeconds === undefined ? '' : `, ${duration(progress.remainingSeconds)} left`;
      const howFar = `${percent(fraction)}${left}`;
      phase.textContent = what;
      done.textContent = howFar;
      meter.classList.remove('unknown');
      setAttributes(meter, {
        'aria-valuenow': progress.done,
        'aria-valuemax': progress.total,
        'aria-valuetext': `${what}, ${howFar}`,
      });
      bar.style.width = `${fraction * 100}%`;
    },
  };
}

export function staleStatus(recompute: () => void): HTMLElement {
  const again = button('Recompute', recompute);
  again.dataset.key = 'recompute';
  return element(
    'section',
    { class: 'status stale', 'aria-label': 'Out of date' },
    element(
      'p',
      { class: 'message' },
      icon('warning'),
      element('span', {}, 'Out of date: the files behind these scores changed after they were computed.'),
    ),
    again,
  );
}
