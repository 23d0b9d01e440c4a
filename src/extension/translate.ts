/** `vscode.l10n.t` as seen by files that must run without VS Code: `{0}`, `{1}`, ... stand for the arguments. */
export type Translate = (message: string, ...args: (string | number)[]) => string;
