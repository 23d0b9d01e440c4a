import type { DataFile, DataOrder } from '../../../src/protocol/viewApi';
import { element } from '../../element';
import { count } from '../../numbers';
import { dropdown } from '../../ui';

export interface Toolbar {
  readonly node: HTMLElement;
  /** How many examples the order holds; undefined while that is not known. */
  setTotal(total: number | undefined): void;
}

export interface ToolbarOptions {
  readonly file: DataFile;
  readonly order: DataOrder;
  choose(order: DataOrder): void;
  goTo(index: number): void;
}

export function toolbar({ file, order, choose, goTo }: ToolbarOptions): Toolbar {
  const total = element('span', { class: 'total', role: 'status' });
  const number = element('input', {
    type: 'number',
    min: 0,
    step: 1,
    required: true,
    'aria-label': 'Go to example number',
  });
  const form = element('form', { class: 'go-to' }, element('label', { 'aria-hidden': 'true' }, 'Go to #'), number);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    goTo(number.valueAsNumber);
  });
  const filter =
    file.run &&
    dropdown<DataOrder>(
      'Show',
      [
        { value: 'file', label: 'All' },
        { value: 'wrong-first', label: 'Wrong, most confident first' },
      ],
      order,
      choose,
    );
  if (filter) filter.dataset.key = 'show';
  const context = file.run ? `${file.run.name}, ${file.run.split}` : file.name;
  return {
    node: element(
      'header',
      { class: 'toolbar' },
      filter,
      form,
      element('span', { class: 'context', title: context }, context),
      total,
    ),
    setTotal(value) {
      const noun = order === 'wrong-first' ? 'wrong' : value === 1 ? 'example' : 'examples';
      total.textContent = value === undefined ? '' : `${count(value)} ${noun}`;
      if (order === 'file' && value) number.max = String(value - 1);
    },
  };
}
