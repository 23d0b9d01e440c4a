import * as vscode from 'vscode';
import { type Connection, connect } from '../protocol/connection';
import type { ExampleId, Location } from '../protocol/model';
import type { InfluenceHostApi, InfluenceSnapshot, InfluenceViewApi } from '../protocol/viewApi';
import type { Devices } from './devices';
import type { Engine } from './engine';
import type { FailureNotice } from './failureNotice';
import { InfluenceSession, type LastingChoices } from './influenceSession';
import type { Runs } from './runs';
import { readSettings } from './settings';
import { findExample } from './shownExample';
import { openPage, webviewPort } from './webviewPage';

const viewId = 'whence.influence';
const choicesKey = 'influence.choices';

/** The Influence view: shows the session's snapshots while it is visible and relays what the page asks for. */
export class InfluenceView implements vscode.WebviewViewProvider, vscode.Disposable {
  readonly session: InfluenceSession;
  readonly #context: vscode.ExtensionContext;
  readonly #devices: Devices;
  readonly #notice: FailureNotice;
  readonly #open: (location: Location) => Promise<void>;
  readonly #subscriptions: readonly vscode.Disposable[];
  #connection: Connection<InfluenceViewApi, InfluenceHostApi> | undefined;
  /** Ends the progress bar of the ask under way. */
  #endProgress: (() => void) | undefined;

  constructor(
    context: vscode.ExtensionContext,
    engine: Engine,
    runs: Runs,
    devices: Devices,
    notice: FailureNotice,
    open: (location: Location) => Promise<void>,
  ) {
    this.#context = context;
    this.#devices = devices;
    this.#notice = notice;
    this.#open = open;
    this.session = new InfluenceSession(
      {
        engine,
        findRun: (config) => runs.find(config),
        hasRuns: () => runs.report.runs.length > 0,
        defaultTop: () => readSettings().top,
        actionFor: (thrown) => notice.describe(thrown).action,
        show: (snapshot) => this.#show(snapshot),
      },
      context.workspaceState.get<LastingChoices>(choicesKey, { method: 'source', measurement: 'margin' }),
    );
    this.#subscriptions = [
      vscode.window.registerWebviewViewProvider(viewId, this),
      runs.onDidChange(() => this.session.runsChanged()),
      runs.onDidChangeFiles(() => void this.session.checkFreshness()),
    ];
  }

  /** Shows the view and asks for a prediction's influential examples. */
  async attribute(config: string, example: ExampleId): Promise<void> {
    const answer = this.session.attribute(config, example);
    await vscode.commands.executeCommand(`${viewId}.focus`, { preserveFocus: true });
    await answer;
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    const connection = connect<InfluenceViewApi, InfluenceHostApi>(webviewPort(view), { peer: 'The Influence view' });
    connection.serve({
      ready: async () => this.session.snapshot,
      choose: async (choice) => {
        await this.session.choose(choice);
        await this.#context.workspaceState.update(choicesKey, this.session.lasting);
      },
      open: ({ example }) =>
        this.#notice.guard(async () => {
          const found = findExample(example, this.session.snapshot);
          if (found) await this.#open(found.location);
        }),
      cancel: async () => this.session.cancel(),
      act: ({ kind }) => {
        const { snapshot, config } = this.session;
        const file = snapshot.state === 'failed' ? (snapshot.error.details.file ?? config) : config;
        return this.#notice.act(kind, file, () => this.session.retry());
      },
    });
    this.#connection = connection;
    view.onDidDispose(() => {
      connection.dispose();
      if (this.#connection === connection) this.#connection = undefined;
    });
    openPage(view.webview, this.#context.extensionUri, 'influence');
  }

  dispose(): void {
    this.session.dispose();
    this.#endProgress?.();
    this.#connection?.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #show(snapshot: InfluenceSnapshot): void {
    const running = snapshot.state === 'running';
    void vscode.commands.executeCommand('setContext', 'whence.attributing', running);
    if (running && !this.#endProgress) {
      void vscode.window.withProgress(
        { location: { viewId } },
        () =>
          new Promise<void>((resolve) => {
            this.#endProgress = resolve;
          }),
      );
    } else if (!running) {
      this.#endProgress?.();
      this.#endProgress = undefined;
    }
    if (snapshot.state === 'shown' && !snapshot.stale) this.#devices.noteUse(snapshot.result.influence.run);
    // A page that is not there asks for its first snapshot when it comes.
    void this.#connection?.remote.show(snapshot).catch(() => {});
  }
}
