import { element } from './element';
import { icon } from './icons';

/** Whether a prediction agrees with the label: by shape and word, never by colour alone. */
export function verdict(wrong: boolean): HTMLElement {
  const kind = wrong ? 'wrong' : 'right';
  return element('span', { class: `verdict ${kind}` }, icon(kind), wrong ? 'Wrong' : 'Right');
}
