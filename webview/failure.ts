import type { ErrorData } from '../src/protocol/errors';
import type { FailureAction } from '../src/protocol/viewApi';
import { element } from './element';
import { icon } from './icons';
import { button } from './ui';

/** What went wrong, where, and the one thing that mends it. */
export function failureStatus(error: ErrorData, action: FailureAction | undefined, act: () => void): HTMLElement {
  const { file, place, mend } = error.details;
  const cancelled = error.code === 'cancelled';
  const facts = [
    file && [element('dt', {}, 'File'), element('dd', {}, element('code', { title: file }, breakable(file)))],
    place && [element('dt', {}, 'Place'), element('dd', {}, element('code', {}, breakable(place)))],
  ].flatMap((pair) => pair || []);
  const actButton = action && button(action.label, act);
  if (actButton) actButton.dataset.key = 'act';
  return element(
    'section',
    { class: `status ${cancelled ? 'note' : 'failed'}`, role: cancelled ? 'status' : 'alert' },
    element('p', { class: 'message' }, icon(cancelled ? 'stopped' : 'failed'), element('span', {}, error.message)),
    facts.length > 0 && element('dl', {}, ...facts),
    mend && element('p', { class: 'mend' }, mend),
    actButton,
  );
}

/** Lets long paths wrap after their separators. */
function breakable(text: string): string {
  return text.replace(/([/\\.])/g, '$1\u200b');
}
