/** The colours that VS Code 1.139 hands to a webview in three of its themes, as far as the views and the widgets use them. */

export type ThemeName = 'dark' | 'light' | 'high-contrast';

interface Theme {
  /** Classes that VS Code puts on the body. */
  readonly bodyClass: string;
  /** What lies behind a transparent page in the side bar and in an editor. */
  readonly sideBar: string;
  readonly editor: string;
  readonly colors: Readonly<Record<string, string>>;
}

const fonts = {
  'font-family': '"DejaVu Sans", sans-serif',
  'font-size': '13px',
  'font-weight': 'normal',
  'editor-font-family': '"DejaVu Sans Mono", monospace',
};

export const themes: Readonly<Record<ThemeName, Theme>> = {
  dark: {
    bodyClass: 'vscode-dark',
    sideBar: '#181818',
    editor: '#1F1F1F',
    colors: {
      ...fonts,
      foreground: '#CCCCCC',
      descriptionForeground: '#9D9D9D',
      disabledForeground: '#CCCCCC80',
      errorForeground: '#F85149',
      focusBorder: '#0078D4',
      'badge-background': '#616161',
      'badge-foreground': '#F8F8F8',
      'button-background': '#0078D4',
      'button-border': '#FFFFFF1A',
      'button-foreground': '#FFFFFF',
      'button-hoverBackground': '#026EC1',
      'button-secondaryBackground': '#00000000',
      'button-secondaryForeground': '#CCCCCC',
      'button-secondaryHoverBackground': '#2B2B2B',
      'charts-blue': '#59A4F9',
      'editorWarning-foreground': '#CCA700',
      'dropdown-background': '#313131',
      'dropdown-border': '#3C3C3C',
      'dropdown-foreground': '#CCCCCC',
      'editor-background': '#1F1F1F',
      'editor-foreground': '#CCCCCC',
      'editor-findMatchHighlightBackground': '#EA5C0055',
      'editorError-foreground': '#F14C4C',
      'editorWidget-background': '#202020',
      'editorWidget-foreground': '#CCCCCC',
      'input-background': '#313131',
      'input-border': '#3C3C3C',
      'input-foreground': '#CCCCCC',
      'inputOption-activeBackground': '#2489DB82',
      'inputOption-activeBorder': '#2488DB',
      'inputOption-activeForeground': '#FFFFFF',
      'inputValidation-errorBackground': '#5A1D1D',
      'inputValidation-errorBorder': '#BE1100',
      'inputValidation-warningBackground': '#352A05',
      'inputValidation-warningBorder': '#B89500',
      'list-activeSelectionBackground': '#04395E',
      'list-activeSelectionForeground': '#FFFFFF',
      'list-hoverBackground': '#2A2D2E',
      'list-inactiveSelectionBackground': '#37373D',
      'progressBar-background': '#0078D4',
      'scrollbarSlider-background': '#79797966',
      'settings-dropdownListBorder': '#454545',
      'textLink-activeForeground': '#4DAAFC',
      'textLink-foreground': '#4DAAFC',
      'textPreformat-background': '#3C3C3C',
      'textPreformat-foreground': '#D0D0D0',
      'widget-border': '#313131',
    },
  },
  light: {
    bodyClass: 'vscode-light',
    sideBar: '#F8F8F8',
    editor: '#FFFFFF',
    colors: {
      ...fonts,
      foreground: '#3B3B3B',
      descriptionForeground: '#3B3B3B',
      disabledForeground: '#61616180',
      errorForeground: '#F85149',
      focusBorder: '#005FB8',
      'badge-background': '#CCCCCC',
      'badge-foreground': '#3B3B3B',
      'button-background': '#005FB8',
      'button-border': '#0000001A',
      'button-foreground': '#FFFFFF',
      'button-hoverBackground': '#0258A8',
      'button-secondaryBackground': '#E5E5E5',
      'button-secondaryForeground': '#3B3B3B',
      'button-secondaryHoverBackground': '#CCCCCC',
      'charts-blue': '#0063D3',
      'editorWarning-foreground': '#BF8803',
      'dropdown-background': '#FFFFFF',
      'dropdown-border': '#CECECE',
      'dropdown-foreground': '#3B3B3B',
      'editor-background': '#FFFFFF',
      'editor-foreground': '#3B3B3B',
      'editor-findMatchHighlightBackground': '#EA5C0055',
      'editorError-foreground': '#E51400',
      'editorWidget-background': '#F8F8F8',
      'editorWidget-foreground': '#3B3B3B',
      'input-background': '#FFFFFF',
      'input-border': '#CECECE',
      'input-foreground': '#3B3B3B',
      'inputOption-activeBackground': '#BED6ED',
      'inputOption-activeBorder': '#005FB8',
      'inputOption-activeForeground': '#000000',
      'inputValidation-errorBackground': '#F2DEDE',
      'inputValidation-errorBorder': '#BE1100',
      'inputValidation-warningBackground': '#F6F5D2',
      'inputValidation-warningBorder': '#B89500',
      'list-activeSelectionBackground': '#E8E8E8',
      'list-activeSelectionForeground': '#000000',
      'list-hoverBackground': '#F2F2F2',
      'list-inactiveSelectionBackground': '#E4E6F1',
      'progressBar-background': '#005FB8',
      'scrollbarSlider-background': '#64646466',
      'settings-dropdownListBorder': '#E5E5E5',
      'settings-textInputBorder': '#CECECE',
      'textLink-activeForeground': '#005FB8',
      'textLink-foreground': '#005FB8',
      'textPreformat-background': '#0000001F',
      'textPreformat-foreground': '#3B3B3B',
      'widget-border': '#E5E5E5',
    },
  },
  'high-contrast': {
    bodyClass: 'vscode-high-contrast',
    sideBar: '#000000',
    editor: '#000000',
    colors: {
      ...fonts,
      foreground: '#FFFFFF',
      contrastActiveBorder: '#F38518',
      contrastBorder: '#6FC3DF',
      descriptionForeground: '#FFFFFFB3',
      disabledForeground: '#A5A5A5',
      errorForeground: '#F48771',
      focusBorder: '#F38518',
      'badge-background': '#000000',
      'badge-foreground': '#FFFFFF',
      'button-background': '#000000',
      'button-border': '#6FC3DF',
      'button-foreground': '#FFFFFF',
      'button-hoverBackground': '#000000',
      'button-secondaryForeground': '#FFFFFF',
      'charts-blue': '#59A4F9',
      'editorWarning-foreground': '#FFD370',
      'dropdown-background': '#000000',
      'dropdown-border': '#6FC3DF',
      'dropdown-foreground': '#FFFFFF',
      'editor-background': '#000000',
      'editor-foreground': '#FFFFFF',
      'editorError-foreground': '#F48771',
      'editorWidget-background': '#0C141F',
      'editorWidget-foreground': '#FFFFFF',
      'input-background': '#000000',
      'input-border': '#6FC3DF',
      'input-foreground': '#FFFFFF',
      'inputOption-activeBackground': '#00000000',
      'inputOption-activeBorder': '#6FC3DF',
      'inputOption-activeForeground': '#FFFFFF',
      'inputValidation-errorBackground': '#000000',
      'inputValidation-errorBorder': '#6FC3DF',
      'inputValidation-warningBackground': '#000000',
      'inputValidation-warningBorder': '#6FC3DF',
      'list-hoverBackground': '#FFFFFF1A',
      'progressBar-background': '#6FC3DF',
      'scrollbarSlider-background': '#6FC3DF99',
      'settings-dropdownListBorder': '#6FC3DF',
      'settings-textInputBorder': '#6FC3DF',
      'textLink-activeForeground': '#21A6FF',
      'textLink-foreground': '#21A6FF',
      'textPreformat-foreground': '#FFFFFF',
      'widget-border': '#6FC3DF',
    },
  },
};

/** VS Code's own stylesheet for webviews, as far as it can get in our way, and a theme's colours. */
export function themeSheet(name: ThemeName, view: string): string {
  const theme = themes[name];
  const variables = Object.entries(theme.colors).map(([key, value]) => `--vscode-${key}: ${value};`);
  const background = view === 'influence' ? theme.sideBar : theme.editor;
  return `
    html { background: ${background}; ${variables.join(' ')} }
    @layer vscode-default {
      body { padding: 0 20px; margin: 0; background-color: transparent; color: var(--vscode-editor-foreground);
        font-family: var(--vscode-font-family); font-size: var(--vscode-font-size); overscroll-behavior-x: none; }
      code { color: var(--vscode-textPreformat-foreground); }
      blockquote { background: var(--vscode-textBlockQuote-background); }
    }`;
}
