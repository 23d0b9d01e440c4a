/** What `vscode.l10n.t` does where there is no translation. */
export function english(message: string, ...args: (string | number)[]): string {
  return message.replace(/\{(\d+)\}/g, (whole, at: string) => String(args[Number(at)] ?? whole));
}
