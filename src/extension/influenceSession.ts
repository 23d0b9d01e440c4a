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
}

/** How a query is asked. */
interface Choices extends LastingChoices {
  /** Labels of the query's run that the lists are narrowed to. */
  readonly labels: readonly Label[];
  /** Absent: as the settings say. */
  readonly top?: number;
}

interface Query {
  readonly config: string;
  readonly example: ExampleId;
}

interface Shown {
  readonly query: Query;
  readonly choices: Choices;
  readonly result: InfluenceResult;
  stale: boolean;
}

/** The Influence view's state: one query at a time, the newest wins, and its answer ages when the run's files change. */
export class InfluenceSession {
  readonly #surroundings: InfluenceSurroundings;
  #choices: Choices;
  #query: Query | undefined;
  #running: AbortController | undefined;
  #shown: Shown | undefined;
  #snapshot: InfluenceSnapshot | undefined;

  constructor(surroundings: InfluenceSurroundings, { method, measurement }: LastingChoices) {
    this.#surroundings = surroundings;
    this.#choices = { method, measurement, labels: [] };
  }

  get snapshot(): InfluenceSnapshot {
    return this.#snapshot ?? { state: 'empty', reason: this.#surroundings.hasRuns() ? 'no-query' : 'no-run' };
  }

  get lasting(): LastingChoices {
    const { method, measurement } = this.#choices;
    return { method, measurement };
  }

  /** The `whence.json` of the query in hand. */
  get config(): string | undefined {
    return this.#query?.config;
  }

  /** Asks for a new query; one under way is cancelled. Settles when its answer or failure is shown. */
  attribute(config: string, example: ExampleId): Promise<void> {
    const { labels } = this.#choices;
    this.#choices = { ...this.lasting, labels: config === this.#query?.config ? labels : [] };
    this.#query = { config, example };
    return this.#ask();
  }

  /** Changes how the query is asked and asks it again. */
  choose(choice: InfluenceChoice): Promise<void> {
    this.#choices = { ...this.#choices, ...choice };
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
    const choices = this.#choices;
    if (!query) return;
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const previous = this.#shown ? { previous: this.#shown.result } : {};
    this.#show({ state: 'running', query: query.example, ...previous });
    try {
      const influence = await this.#call(query, choices, running);
      if (this.#running !== running) return;
      this.#running = undefined;
      const result = this.#resultOf(query, choices, influence);
      this.#shown = { query, choices, result, stale: false };
      this.#showShown(this.#shown);
    } catch (thrown) {
      if (this.#running !== running) return;
      this.#running = undefined;
      const error = toErrorData(thrown);
      if (error.code === 'cancelled') this.#showCancelled();
      else this.#show({ state: 'failed', error, action: this.#surroundings.actionFor(thrown), ...previous });
    }
  }

  async #call(query: Query, choices: Choices, running: AbortController): Promise<Influence> {
    const { engine, defaultTop } = this.#surroundings;
    const { signal } = running;
    const previous = this.#shown ? { previous: this.#shown.result } : {};
    const measurement = await this.#measurementFor(query, choices.measurement, signal);
    const request = {
      config: query.config,
      query: query.example,
      method: choices.method,
      top: choices.top ?? defaultTop(),
      ...(measurement ? { measurement } : {}),
      ...(choices.labels.length > 0 ? { labels: choices.labels } : {}),
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
  async #measurementFor(
    { config, example }: Query,
    kind: MeasurementKind,
    signal: AbortSignal,
  ): Promise<Measurement | undefined> {
    if (kind === 'margin') return undefined;
    if (kind === 'loss') return { kind };
    const place = { config, split: example.split, from: example.index, count: 1, order: 'file' } as const;
    const page = await this.#surroundings.engine.examples(place, { signal });
    const predicted = page.examples[0]?.prediction.predicted;
    return predicted === undefined ? { kind } : { kind, target: predicted };
  }

  #resultOf(query: Query, { labels }: Choices, influence: Influence): InfluenceResult {
    const run = this.#surroundings.findRun(query.config);
    return { influence, runName: run?.name ?? '', classes: run?.classes ?? [], labels };
  }

  /** After a cancelled ask, what was shown before it is the query in hand again, asked as it was then. */
  #showCancelled(): void {
    this.#query = this.#shown?.query;
    if (this.#shown) {
      this.#choices = this.#shown.choices;
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
