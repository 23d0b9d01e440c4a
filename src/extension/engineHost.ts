import * as vscode from 'vscode';
import { WhenceError } from '../protocol/errors';
import type { Engine } from './engine';
import { EngineClient } from './engineClient';
import { onDidChangeSetting, readSettings } from './settings';

/** The engine as this window has it: refused in untrusted workspaces, logged in one channel, restarted on the user's word. */
export class EngineHost implements vscode.Disposable {
  readonly engine: Engine;
  /** The worker's bundle. */
  readonly worker: vscode.Uri;
  readonly #client: EngineClient;
  readonly #log: vscode.LogOutputChannel;
  readonly #subscription: vscode.Disposable;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#log = log;
    this.worker = vscode.Uri.joinPath(context.extensionUri, 'dist', 'worker.mjs');
    this.#client = new EngineClient({
      modulePath: this.worker.fsPath,
      programArguments: engineArguments,
      libraryFolders: () => readSettings().cudaLibraries,
      onLine: (line) => log.info(line),
      onDidExit: (reason) => void this.#announceExit(reason),
    });
    this.engine = onlyWhenTrusted(this.#client.engine);
    const stop = () => void this.#client.stop();
    this.#subscription = vscode.Disposable.from(
      onDidChangeSetting('device', stop),
      onDidChangeSetting('memoryBudget', stop),
      onDidChangeSetting('cudaLibraries', stop),
    );
  }

  /** Ends the worker; the next call starts a fresh one. */
  async restart(): Promise<void> {
    this.#log.info('The engine is restarted.');
    await this.#client.stop();
  }

  /** Gives the worker a second to end, then kills it. */
  async shutDown(): Promise<void> {
    await this.#client.dispose();
  }

  dispose(): void {
    this.#subscription.dispose();
    void this.#client.dispose();
  }

  async #announceExit(reason: string): Promise<void> {
    this.#log.error(`The engine stopped: ${reason}`);
    const [how = ''] = reason.split('\n');
    const restart = vscode.l10n.t('Restart');
    const showLog = vscode.l10n.t('Show Log');
    const message = vscode.l10n.t('The Whence engine stopped ({0})', how.replace(/\.$/, ''));
    const chosen = await vscode.window.showErrorMessage(message, restart, showLog);
    if (chosen === restart) await vscode.commands.executeCommand('whence.restartEngine');
    else if (chosen === showLog) this.#log.show();
  }
}

/** `auto` and 0 leave the choice to `whence.json`, which leaves it to the engine. */
function engineArguments(): readonly string[] {
  const { device, memoryBudget } = readSettings();
  return [
    ...(device === 'auto' ? [] : ['--device', device]),
    ...(memoryBudget > 0 ? ['--memory', `${memoryBudget}`] : []),
  ];
}

/** A worker reads files and runs a model that came with the workspace, so there is none before the user trusts it. */
function onlyWhenTrusted(engine: Engine): Engine {
  return new Proxy(engine, {
    get(target, name, receiver) {
      if (vscode.workspace.isTrusted) return Reflect.get(target, name, receiver);
      return () =>
        Promise.reject(
          new WhenceError('bad-argument', vscode.l10n.t('Whence does not run in a workspace that is not trusted.'), {
            mend: vscode.l10n.t('Trust the workspace.'),
          }),
        );
    },
  });
}
