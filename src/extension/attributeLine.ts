import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { WhenceError } from '../protocol/errors';
import type { Attribute } from './dataEditor';
import type { Engine } from './engine';

/** Attributes the prediction for the example on the cursor's line of a run's text file. */
export async function attributeLine(engine: Engine, attribute: Attribute): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return;
  const { document, selection } = editor;
  if (document.isDirty && !(await saveFirst(document))) return;
  const file = document.uri.fsPath;
  const line = selection.active.line + 1;
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)?.uri.fsPath ?? dirname(file);
  const found = await engine.exampleAt({ folder, file, line });
  if (!found) {
    throw new WhenceError('bad-argument', vscode.l10n.t('There is no example of a run on this line.'), {
      file,
      place: vscode.l10n.t('line {0}', line),
      mend: vscode.l10n.t('Choose a line below the header, in a file that whence.json names.'),
    });
  }
  await attribute(found.config, found.example);
}

/** The engine reads the file on disk, whose lines may stand elsewhere than the editor's. */
async function saveFirst(document: vscode.TextDocument): Promise<boolean> {
  const save = vscode.l10n.t('Save');
  const message = vscode.l10n.t('{0} has unsaved changes, which the engine cannot see.', basename(document.fileName));
  const chosen = await vscode.window.showWarningMessage(message, save);
  return chosen === save && document.save();
}
