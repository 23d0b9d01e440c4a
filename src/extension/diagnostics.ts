import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { Problem } from '../protocol/model';
import type { Engine } from './engine';

const debounceMs = 300;

const severities = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  info: vscode.DiagnosticSeverity.Information,
} as const;

/** Every error in an open `whence.json` as a squiggle, unsaved text included. */
export class ConfigDiagnostics implements vscode.Disposable {
  readonly #engine: Engine;
  readonly #collection = vscode.languages.createDiagnosticCollection('whence');
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions: readonly vscode.Disposable[];

  constructor(engine: Engine, onDidChangeFiles: vscode.Event<void>) {
    this.#engine = engine;
    const validateAll = () => {
      for (const document of vscode.workspace.textDocuments) this.#schedule(document);
    };
    this.#subscriptions = [
      vscode.workspace.onDidOpenTextDocument((document) => this.#schedule(document)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.#schedule(document)),
      vscode.workspace.onDidSaveTextDocument((document) => this.#schedule(document)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#forget(uri)),
      vscode.workspace.onDidGrantWorkspaceTrust(validateAll),
      // A file that was missing may be there now.
      onDidChangeFiles(validateAll),
    ];
    validateAll();
  }

  dispose(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    vscode.Disposable.from(this.#collection, ...this.#subscriptions).dispose();
  }

  #schedule(document: vscode.TextDocument): void {
    const { uri } = document;
    if (uri.scheme !== 'file' || basename(uri.fsPath) !== 'whence.json' || !vscode.workspace.isTrusted) return;
    const key = uri.toString();
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => void this.#validate(document), debounceMs),
    );
  }

  async #validate(document: vscode.TextDocument): Promise<void> {
    const { version, uri } = document;
    try {
      const problems = await this.#engine.validate({ config: uri.fsPath, text: document.getText() });
      if (document.version !== version || document.isClosed) return;
      this.#collection.set(
        uri,
        problems.map((problem) => diagnosticOf(problem, document)),
      );
    } catch {
      // The engine's end is announced elsewhere; without an answer there is nothing to say of the text.
      this.#collection.delete(uri);
    }
  }

  #forget(uri: vscode.Uri): void {
    clearTimeout(this.#timers.get(uri.toString()));
    this.#timers.delete(uri.toString());
    this.#collection.delete(uri);
  }
}

function diagnosticOf({ range, message, mend, severity }: Problem, document: vscode.TextDocument): vscode.Diagnostic {
  const place = range
    ? new vscode.Range(document.positionAt(range.offset), document.positionAt(range.offset + range.length))
    : document.lineAt(0).range;
  const diagnostic = new vscode.Diagnostic(place, [message, mend].filter(Boolean).join(' '), severities[severity]);
  diagnostic.source = 'Whence';
  return diagnostic;
}
