import { toErrorData } from '../protocol/errors';
import type { ExampleId, Influence, Label, Measurement, MeasurementKind, MethodName } from '../protocol/model';
import type { FailureAction, InfluenceChoice, InfluenceResult, InfluenceSnapshot } from '../protocol/viewApi';
import type { Engine } from './engine';

/** What the session needs of its surroundings. */
export interface InfluenceSurroundings {
  readonly engine: Engine;
  /** A run's name and classes, by its `whence.json`; undefined where no run is known by that path. */
  findRun(config: string): { readonly name: string; readonly classes: readonly string[] } | undefined;
  hasRuns(): boolean;
  defaultTop(): number;
  /** The action that mends what was thrown. */
  actionFor(thrown: unknown): FailureAction;
  /** Receives every snapshot, whole. */
  show(snapshot: InfluenceSnapshot): void;
}

/** What outlives a window: choices, never results. */
export interface LastingChoices {
  readonly method: MethodName;
  readonly measurement: MeasurementKind;
  readonly top?: number;
}

interface Query {
  readonly config: string;
  readonly example: ExampleId;
}

/** The Influence view's state: one query at a time, the newest wins, and its answer ages when the run's files change. */
export class InfluenceSession {
  readonly #surroundings: InfluenceSurroundings;
  #lasting: LastingChoices;
  #labels: readonly Label[] = [];
  #query: Query | undefined;
  #running: AbortController | undefined;
  #shown: { readonly query: Query; readonly result: InfluenceResult; stale: boolean } | undefined;
  #snapshot: InfluenceSnapshot | undefined;

  constructor(surroundings: InfluenceSurroundings, lasting: LastingChoices) {
    this.#surroundings = surroundings;
    this.#lasting = lasting;
  }

  get snapshot(): InfluenceSnapshot {
    return this.#snapshot ?? { state: 'empty', reason: this.#surroundings.hasRuns() ? 'no-query' : 'no-run' };
  }

  get lasting(): LastingChoices {
    return this.#lasting;
  }

  /** The `whence.json` of the query in hand. */
  get config(): string | undefined {
    return this.#query?.config;
  }

  /** Asks for a new query; one under way is cancelled. Settles when its answer or failure is shown. */
  attribute(config: string, example: ExampleId): Promise<void> {
    if (config !== this.#query?.config) this.#labels = [];
    this.#query = { config, example };
    return this.#ask();
  }

  /** Changes how the query is asked and asks it again. */
  choose({ labels, ...lasting }: InfluenceChoice): Promise<void> {
    this.#lasting = { ...this.#lasting, ...lasting };
    if (labels) this.#labels = labels;
    return this.#ask();
  }

  retry(): Promise<void> {
    return this.#ask();
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** The runs were looked for again: an empty view may have another reason now. */
  runsChanged(): void {
    if (!this.#snapshot || this.#snapshot.state === 'empty') this.#surroundings.show(this.snapshot);
  }

  /** Compares the shown answer's hash with the files as they are now and marks it stale where they differ. */
  async checkFreshness(): Promise<void> {
    const shown = this.#shown;
    if (!shown || shown.stale) return;
    const { method, hash } = shown.result.influence;
    const now = await this.#surroundings.engine.hash({ config: shown.query.config, method }).catch(() => null);
    if (now === hash || this.#shown !== shown) return;
    shown.stale = true;
    if (!this.#running && this.#snapshot?.state === 'shown') this.#showShown(shown);
  }

  dispose(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #ask(): Promise<void> {
    const query = this.#query;
    if (!query) return;
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const previous = this.#shown ? { previous: this.#shown.result } : {};
    this.#show({ state: 'running', query: query.example, ...previous });
    try {
      const influence = await this.#call(query, running);
      if (this.#running !== running) return;
      this.#running = undefined;
      this.#shown = { query, result: this.#resultOf(query, influence), stale: false };
      this.#showShown(this.#shown);
    } catch (thrown) {
      if (this.#running !== running) return;
      this.#running = undefined;
      const error = toErrorData(thrown);
      if (error.code === 'cancelled') this.#showCancelled();
      else this.#show({ state: 'failed', error, action: this.#surroundings.actionFor(thrown), ...previous });
    }
  }

  async #call(query: Query, running: AbortController): Promise<Influence> {
    const { engine, defaultTop } = this.#surroundings;
    const { signal } = running;
    const previous = this.#shown ? { previous: this.#shown.result } : {};
    const measurement = await this.#measurementFor(query, signal);
    const request = {
      config: query.config,
      query: query.example,
      method: this.#lasting.method,
      top: this.#lasting.top ?? defaultTop(),
      ...(measurement ? { measurement } : {}),
      ...(this.#labels.length > 0 ? { labels: this.#labels } : {}),
    };
    return engine.attribute(request, {
      signal,
      onProgress: (progress) => {
        if (this.#running === running && !signal.aborted) {
          this.#show({ state: 'running', query: query.example, progress, ...previous });
        }
      },
    });
  }

  /** A logit is that of the predicted class, as the margin is by default; the loss is that of the example's own label. */
  async #measurementFor({ config, example }: Query, signal: AbortSignal): Promise<Measurement | undefined> {
    const kind = this.#lasting.measurement;
    if (kind === 'margin') return undefined;
    if (kind === 'loss') return { kind };
    const place = { config, split: example.split, from: example.index, count: 1, order: 'file' } as const;
    const page = await this.#surroundings.engine.examples(place, { signal });
    const predicted = page.examples[0]?.prediction.predicted;
    return predicted === undefined ? { kind } : { kind, target: predicted };
  }

  #resultOf(query: Query, influence: Influence): InfluenceResult {
    const run = this.#surroundings.findRun(query.config);
    return { influence, runName: run?.name ?? '', classes: run?.classes ?? [], labels: this.#labels };
  }

  /** After a cancelled ask, what was shown before it is the query in hand again. */
  #showCancelled(): void {
    this.#query = this.#shown?.query;
    if (this.#shown) {
      this.#labels = this.#shown.result.labels;
      this.#showShown(this.#shown);
    } else {
      this.#show({ state: 'empty', reason: this.#surroundings.hasRuns() ? 'no-query' : 'no-run' });
    }
  }

  #showShown({ result, stale }: { readonly result: InfluenceResult; readonly stale: boolean }): void {
    this.#show({ state: 'shown', result, stale });
  }

  #show(snapshot: InfluenceSnapshot): void {
    this.#snapshot = snapshot;
    this.#surroundings.show(snapshot);
  }
}
