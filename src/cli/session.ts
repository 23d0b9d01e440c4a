import type { CallOptions } from '../protocol/connection';
import type { EngineProcess } from './engineProcess';

/** What a command works with. */
export interface CommandSession {
  readonly engine: EngineProcess['engine'];
  /** Cancellation and progress for every call to the engine. */
  readonly call: CallOptions;
  /** A whole result, to stdout. */
  print(text: string): void;
  /** A remark, to stderr. */
  say(line: string): void;
}
