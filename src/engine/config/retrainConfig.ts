import * as z from 'zod/mini';
import { keyed, optional, path, texts } from './schemaParts';

export const subsetFormats = ['txt', 'json', 'npy'] as const;

/** How the run is trained anew on a part of its data: what `whence retrain` runs. */
export interface RetrainConfig {
  /** A program with its arguments, or a line for the shell. `{subset}`, `{seed}` and `{out}` stand in it. */
  readonly command: string | readonly string[];
  /** Format of the file that lists the training examples to be used. Default `txt`: an index a line. */
  readonly subset?: (typeof subsetFormats)[number];
  /** The final checkpoint, as seen from `{out}`; with one `*` the last of them. Default: like the run's own checkpoints. */
  readonly checkpoint?: string;
  /** A JSON file in `{out}` with the queries' measurements, where training measures them itself. */
  readonly results?: string;
  /** The first seed. Default 1. */
  readonly seed?: number;
  /** Trainings at a time. Default: half the cores. */
  readonly parallel?: number;
  /** Seconds that one training may take. Default: as long as it takes. */
  readonly timeout?: number;
}

const wholeAbove0 = () => z.int('must be a whole number').check(z.gte(1, 'must be at least 1'));

export const retrainSchema = z.strictObject(
  {
    command: keyed(
      'retrain.command',
      z.union(
        [z.string().check(z.minLength(1)), texts('must be a program and its arguments').check(z.minLength(1))],
        'must be a text, or a list of a program and its arguments',
      ),
    ),
    subset: optional('retrain.subset', z.enum(subsetFormats, 'must be "txt", "json" or "npy"')),
    checkpoint: optional('retrain.checkpoint', path()),
    results: optional('retrain.results', path()),
    seed: optional('retrain.seed', z.int('must be a whole number').check(z.gte(0, 'must not be negative'))),
    parallel: optional('retrain.parallel', wholeAbove0()),
    timeout: optional('retrain.timeout', z.number('must be seconds').check(z.gt(0, 'must be above 0'))),
  },
  'must be an object with a command',
);
