import {
  type Button,
  type Dropdown,
  type Option,
  type ProgressRing,
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDivider,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeProgressRing,
} from '@vscode/webview-ui-toolkit';
import { setAttributes } from './element';

declare global {
  interface HTMLElementTagNameMap {
    'vscode-button': Button;
    'vscode-dropdown': Dropdown;
    'vscode-option': Option;
    'vscode-progress-ring': ProgressRing;
  }
}

/** The only file that knows the widget toolkit: another one is a change of this file. Call once, before any widget is made. */
export function registerWidgets(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeDivider(),
    vsCodeDropdown(),
    vsCodeOption(),
    vsCodeProgressRing(),
  );
}

export function button(label: string, press: () => void, appearance: 'primary' | 'secondary' = 'primary'): HTMLElement {
  const node = document.createElement('vscode-button');
  setAttributes(node, { appearance });
  node.append(label);
  node.addEventListener('click', press);
  return node;
}

export interface DropdownChoice<Value extends string> {
  readonly value: Value;
  readonly label: string;
}

/** `choose` hears the user's choices only, not those set by the program. */
export function dropdown<Value extends string>(
  name: string,
  choices: readonly DropdownChoice<Value>[],
  chosen: Value,
  choose: (value: Value) => void,
): HTMLElement {
  const node = document.createElement('vscode-dropdown');
  setAttributes(node, { 'aria-label': name });
  for (const { value, label } of choices) {
    const option = document.createElement('vscode-option');
    setAttributes(option, { value, selected: value === chosen });
    option.append(label);
    node.append(option);
  }
  node.addEventListener('change', () => {
    const choice = choices.find(({ value }) => value === node.value);
    if (choice) choose(choice.value);
  });
  return node;
}

export function progressRing(name: string): HTMLElement {
  const node = document.createElement('vscode-progress-ring');
  setAttributes(node, { 'aria-label': name });
  return node;
}

export function divider(): HTMLElement {
  return document.createElement('vscode-divider');
}
