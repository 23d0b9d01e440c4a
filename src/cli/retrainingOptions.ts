import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MethodName } from '../protocol/model';
import { methodNames } from './words';

/** Adds what `whence evaluate` may be told. */
export function evaluateOptions(command: Command): Command {
  return command
    .option('--outcomes <dir>', 'what retraining on subsets gave (docs/evaluate.md)')
    .addOption(
      new Option('--methods <names>', `which scores: ${Object.keys(methodNames).join(', ')}`)
        .default(['source', 'influence-functions', 'tracin', 'gradient-dot'])
        .argParser(parseMethods),
    )
    .addOption(
      new Option('--segments <counts>', "how many segments SOURCE is cut into, such as 1,3 (default: the run's own)")
        .default([])
        .argParser(parseCounts),
    )
    .addOption(new Option('--measurement <name>', 'what the outcomes are of').choices(['margin', 'loss', 'logit']))
    .addOption(new Option('--curve <name>', 'a curve instead of the score').choices(['removal', 'mislabel']))
    .option('--flipped <file>', 'for the mislabel curve: the training examples whose label is wrong, by index')
    .option('--json', 'print JSON')
    .option('--csv', 'print CSV');
}

export function parseMethods(text: string): readonly MethodName[] {
  return text.split(',').map((name) => {
    const known = (Object.keys(methodNames) as MethodName[]).find((method) => method === name.trim());
    if (known) return known;
    throw new InvalidArgumentError(`"${name}" is none of ${Object.keys(methodNames).join(', ')}.`);
  });
}

/** Whole numbers above 0. */
export function parseCounts(text: string): readonly number[] {
  return text.split(',').map((part) => {
    const count = Number(part);
    if (Number.isInteger(count) && count > 0) return count;
    throw new InvalidArgumentError(`"${part}" is no whole number above 0.`);
  });
}
