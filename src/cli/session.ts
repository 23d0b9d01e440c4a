import type { CallOptions } from '../protocol/connection';
import type { EngineProcess } from './engineProcess';

/** What a command works with. */
export interface CommandSession extends TerminalSession {
  readonly engine: EngineProcess['engine'];
}

/** What every command has of the terminal. */
export interface TerminalSession {
  /** Cancellation and progress for every call to another process. */
  readonly call: CallOptions;
  /** A whole result, to stdout. */
  print(text: string): void;
  /** A remark, to stderr. */
  say(line: string): void;
}
