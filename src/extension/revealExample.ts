import * as vscode from 'vscode';
import type { Location } from '../protocol/model';
import type { DataEditors } from './dataEditor';

/** Pictures in files of their own, which VS Code shows by itself. */
const pictures = /\.(jpe?g|png)$/i;

/** Opens an example in its own data editor beside the active one; the focus stays where it is. */
export async function revealExample({ file, index, line }: Location, editors: DataEditors): Promise<void> {
  const uri = vscode.Uri.file(file);
  if (pictures.test(file)) {
    await vscode.commands.executeCommand('vscode.open', uri, { viewColumn: columnFor(uri), preserveFocus: true });
    return;
  }
  if (line === undefined) {
    await editors.reveal(uri, index, columnFor(uri));
    return;
  }
  // VS Code opens no text of more than 50 MB for an extension; the data editor reads it by ranges.
  const document = await Promise.resolve(vscode.workspace.openTextDocument(uri)).catch(() => undefined);
  if (!document) {
    await editors.reveal(uri, index, columnFor(uri));
    return;
  }
  const selection = document.lineAt(Math.min(line, document.lineCount) - 1).range;
  const editor = await vscode.window.showTextDocument(document, {
    viewColumn: columnFor(uri),
    preserveFocus: true,
    selection,
  });
  editor.revealRange(selection, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/** Where the file is open already; else beside, or in the middle where nothing is open. */
function columnFor(uri: vscode.Uri): vscode.ViewColumn {
  const beside = vscode.window.tabGroups.activeTabGroup.activeTab ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
  return columnOf(uri) ?? beside;
}

/** The column of the editor that shows the file already. */
export function columnOf(uri: vscode.Uri): vscode.ViewColumn | undefined {
  const { all } = vscode.window.tabGroups;
  return all.find((group) => group.tabs.some((tab) => uriOf(tab)?.toString() === uri.toString()))?.viewColumn;
}

function uriOf({ input }: vscode.Tab): vscode.Uri | undefined {
  return input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom ? input.uri : undefined;
}
