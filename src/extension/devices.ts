import * as vscode from 'vscode';
import type { ProviderReport } from '../protocol/engineApi';
import type { Engine } from './engine';
import type { Runs } from './runs';
import { onDidChangeSetting } from './settings';

/** Which device each run's gradients were computed on, once that is known. Asking makes the engine try them. */
export class Devices implements vscode.Disposable {
  readonly #engine: Engine;
  readonly #known = new Map<string, readonly ProviderReport[]>();
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: readonly vscode.Disposable[];
  readonly onDidChange = this.#changed.event;

  constructor(engine: Engine, runs: Runs) {
    this.#engine = engine;
    const forget = () => this.forget();
    this.#subscriptions = [onDidChangeSetting('device', forget), runs.onDidChangeFiles(forget)];
  }

  get known(): ReadonlyMap<string, readonly ProviderReport[]> {
    return this.#known;
  }

  async ask(config: string): Promise<readonly ProviderReport[]> {
    const before = this.#known.get(config);
    if (before) return before;
    const reports = await this.#engine.providers({ config });
    this.#known.set(config, reports);
    this.#changed.fire();
    return reports;
  }

  /** The run was just used, so that its engine has the answer at hand; what it fails with was told where it was used. */
  noteUse(config: string): void {
    this.ask(config).catch(() => undefined);
  }

  forget(): void {
    if (this.#known.size === 0) return;
    this.#known.clear();
    this.#changed.fire();
  }

  dispose(): void {
    vscode.Disposable.from(this.#changed, ...this.#subscriptions).dispose();
  }
}
