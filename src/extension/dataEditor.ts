import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { type Connection, connect, type Handlers } from '../protocol/connection';
import type { FileUse, WorkspaceReport } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import type { ExampleId } from '../protocol/model';
import type { DataHostApi, DataViewApi } from '../protocol/viewApi';
import type { Engine } from './engine';
import type { FailureNotice } from './failureNotice';
import type { Runs } from './runs';
import { openPage, webviewPort } from './webviewPage';

export const dataViewType = 'whence.idx';

/** What attributing from a data editor takes. */
export type Attribute = (config: string, example: ExampleId) => Promise<void>;

interface OpenEditor {
  readonly uri: vscode.Uri;
  readonly panel: vscode.WebviewPanel;
  readonly connection: Connection<DataViewApi, DataHostApi>;
  /** Settles once the page asked for its file: from then on it can be told to reveal. */
  readonly ready: Promise<void>;
  /** What the page's answers were made from; another report makes them old. */
  report: WorkspaceReport | undefined;
  attribute(index: number): Promise<void>;
}

/** Read-only editors for binary data files: a grid of examples, with the final checkpoint's predictions where a run uses the file. */
export class DataEditors implements vscode.CustomReadonlyEditorProvider, vscode.Disposable {
  readonly #extensionUri: vscode.Uri;
  readonly #engine: Engine;
  readonly #runs: Runs;
  readonly #notice: FailureNotice;
  readonly #attribute: Attribute;
  readonly #open = new Set<OpenEditor>();
  readonly #subscriptions: readonly vscode.Disposable[];
  #active: OpenEditor | undefined;

  constructor(extensionUri: vscode.Uri, engine: Engine, runs: Runs, notice: FailureNotice, attribute: Attribute) {
    this.#extensionUri = extensionUri;
    this.#engine = engine;
    this.#runs = runs;
    this.#notice = notice;
    this.#attribute = attribute;
    this.#subscriptions = [
      vscode.window.registerCustomEditorProvider(dataViewType, this, { supportsMultipleEditorsPerDocument: true }),
      runs.onDidChange(() => this.#refresh()),
    ];
  }

  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => {} };
  }

  resolveCustomEditor({ uri }: vscode.CustomDocument, panel: vscode.WebviewPanel): void {
    let announce = () => {};
    const ready = new Promise<void>((resolve) => {
      announce = resolve;
    });
    const connection = connect<DataViewApi, DataHostApi>(webviewPort(panel), { peer: 'The data view' });
    const attribute = (index: number) => this.#attributeFrom(uri, index);
    const editor: OpenEditor = { uri, panel, connection, ready, attribute, report: undefined };
    const setReady = () => {
      editor.report = this.#runs.report;
      announce();
    };
    connection.serve(this.#handlers(uri, setReady, attribute));
    this.#open.add(editor);
    if (panel.active) this.#active = editor;
    panel.onDidChangeViewState(() => {
      if (panel.active) this.#active = editor;
    });
    panel.onDidDispose(() => {
      this.#open.delete(editor);
      if (this.#active === editor) this.#active = undefined;
      connection.dispose();
    });
    openPage(panel.webview, this.#extensionUri, 'data');
  }

  /** Opens the file in `column` and shows its example `index`. */
  async reveal(uri: vscode.Uri, index: number, column: vscode.ViewColumn): Promise<void> {
    await vscode.commands.executeCommand('vscode.openWith', uri, dataViewType, {
      viewColumn: column,
      preserveFocus: true,
    });
    const editor = [...this.#open].find((one) => one.uri.toString() === uri.toString() && one.panel.visible);
    await editor?.ready;
    await editor?.connection.remote.reveal({ index });
  }

  /** Attributes example `index` of the data editor that was used last: the one whose context menu was open. */
  async attributeInActive(index: number): Promise<void> {
    await this.#active?.attribute(index);
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
    for (const { connection } of this.#open) connection.dispose();
  }

  #handlers(uri: vscode.Uri, setReady: () => void, attribute: (index: number) => Promise<void>): Handlers<DataHostApi> {
    const file = uri.fsPath;
    return {
      ready: async () => {
        const use = await this.#findUse(uri);
        const run = use && this.#runs.find(use.config);
        setReady();
        return {
          name: basename(file),
          ...(use && run ? { run: { config: use.config, name: run.name, split: use.split } } : {}),
          classes: run?.classes ?? [],
          canAttribute: run !== undefined && run !== null,
        };
      },
      page: async ({ order, from, count }, { signal, progress }) => {
        const use = await this.#findUse(uri);
        const options = { signal, onProgress: progress };
        if (!use) return this.#engine.browse({ file, from, count }, options);
        return this.#engine.examples({ config: use.config, split: use.split, from, count, order }, options);
      },
      attribute: ({ index }) => attribute(index),
      setUp: async () => {
        await vscode.commands.executeCommand('whence.setUp');
      },
    };
  }

  async #attributeFrom(uri: vscode.Uri, index: number): Promise<void> {
    await this.#notice.guard(async () => {
      const use = await this.#findUse(uri);
      if (!use) {
        throw new WhenceError('not-set-up', vscode.l10n.t('No run uses this file.'), {
          file: uri.fsPath,
          mend: vscode.l10n.t('Name it as a split in whence.json.'),
        });
      }
      await this.#attribute(use.config, { split: use.split, index });
    });
  }

  async #findUse(uri: vscode.Uri): Promise<FileUse | null> {
    await this.#runs.load();
    const folder = vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath ?? dirname(uri.fsPath);
    return this.#engine.findUse({ folder, file: uri.fsPath });
  }

  #refresh(): void {
    for (const { connection, panel, report } of this.#open) {
      // A hidden page is gone and asks anew when it is shown; one that has no answer yet will get the newest.
      const old = report !== undefined && report !== this.#runs.report;
      if (panel.visible && old) void connection.remote.refresh({}).catch(() => {});
    }
  }
}
