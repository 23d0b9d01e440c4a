import * as vscode from 'vscode';
import type { CallOptions } from '../protocol/connection';
import { progressText } from './progressText';

/** Long work of one tree view: the bar and the words are in the view itself, and so is its cancel button. */
export class TreeProgress {
  readonly #viewId: string;
  readonly #view: { message?: string };
  #running: AbortController | undefined;

  constructor(viewId: string, view: { message?: string }) {
    this.#viewId = viewId;
    this.#view = view;
  }

  /** Runs `work`, after cancelling what this view was still busy with. */
  async run<T>(work: (options: CallOptions) => Promise<T>): Promise<T> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const before = this.#view.message ?? '';
    this.#setBusy(true);
    try {
      const options: CallOptions = {
        signal: running.signal,
        onProgress: (progress) => {
          if (this.#running === running) this.#view.message = progressText(progress, vscode.l10n.t);
        },
      };
      return await vscode.window.withProgress({ location: { viewId: this.#viewId } }, () => work(options));
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
        this.#setBusy(false);
        this.#view.message = before;
      }
    }
  }

  cancel(): void {
    this.#running?.abort();
  }

  #setBusy(busy: boolean): void {
    void vscode.commands.executeCommand('setContext', `${this.#viewId}.busy`, busy);
  }
}
