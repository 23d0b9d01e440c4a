import * as vscode from 'vscode';
import { toErrorData } from '../protocol/errors';
import type { FailureAction } from '../protocol/viewApi';
import { describeFailure, type Failure } from './failures';

/** What mending takes: supplied once by `activate`. */
export interface MendingSteps {
  restartEngine(): Promise<void>;
  showLog(): void;
}

/** Shows failures and carries out the one action that each has. */
export class FailureNotice {
  readonly #log: vscode.LogOutputChannel;
  readonly #steps: MendingSteps;

  constructor(log: vscode.LogOutputChannel, steps: MendingSteps) {
    this.#log = log;
    this.#steps = steps;
  }

  describe(thrown: unknown): Failure {
    const failure = describeFailure(thrown, vscode.l10n.t);
    this.#log.error(failure.sentence);
    if (failure.error.code === 'internal' && thrown instanceof Error && thrown.stack) this.#log.error(thrown.stack);
    return failure;
  }

  /** A message with the failure's action as its button; silent where the user cancelled. */
  async show(thrown: unknown, retry?: () => Promise<unknown>): Promise<void> {
    if (toErrorData(thrown).code === 'cancelled') return;
    const failure = this.describe(thrown);
    const { kind, label } = failure.action;
    const { file } = failure.error.details;
    const possible = (kind !== 'retry' || retry !== undefined) && (kind !== 'open-file' || file !== undefined);
    const chosen = await vscode.window.showErrorMessage(failure.sentence, ...(possible ? [label] : []));
    if (chosen) await this.act(kind, file, retry);
  }

  /** Carries out an action; `file` is the one at fault. */
  async act(kind: FailureAction['kind'], file?: string, retry?: () => Promise<unknown>): Promise<void> {
    switch (kind) {
      case 'restart':
        await this.#steps.restartEngine();
        await retry?.();
        return;
      case 'retry':
        await retry?.();
        return;
      case 'open-file':
        if (file) await showFile(vscode.Uri.file(file));
        else this.#steps.showLog();
        return;
      case 'set-up':
        await vscode.commands.executeCommand('whence.setUp');
        return;
      case 'show-log':
        this.#steps.showLog();
    }
  }

  /** Runs what a command does and shows how it fails. */
  async guard(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      await this.show(thrown, () => this.guard(work));
    }
  }
}

const textFile = /\.(json|jsonc|jsonl|csv|txt|py|md)$/i;

/** Opens text; points at everything else in the explorer, where it can be replaced. */
export async function showFile(uri: vscode.Uri): Promise<void> {
  if (textFile.test(uri.path)) await vscode.window.showTextDocument(uri);
  else await vscode.commands.executeCommand('revealInExplorer', uri);
}
