import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MethodName } from '../protocol/model';
import { parseQueries, type QueryRange } from './queries';
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

/** Adds what `whence retrain` may be told. */
export function retrainOptions(command: Command): Command {
  return command
    .addOption(count('--halves <count>', 'on so many random halves of the data: outcomes for whence evaluate'))
    .option(
      '--without <examples>',
      'with and without train:1,5,9-12: does leaving them out do what is said?',
      parseExamples,
    )
    .option('--removal <examples>', 'without ever more of the strongest proponents of test:17', parseQueries)
    .option('--query <examples>', 'what is measured: test:17 (default: the first 100 of test)', parseQueries)
    .addOption(
      new Option('--method <names>', 'whose predictions stand beside, or whose ranking is removed by')
        .default(['source'])
        .argParser(parseMethods),
    )
    .addOption(
      new Option('--counts <counts>', 'how many to remove, one after the other')
        .default([1, 5, 10, 20])
        .argParser(parseCounts),
    )
    .addOption(count('--repeats <count>', 'how often each, from other seeds'))
    .addOption(new Option('--measurement <name>', 'what is measured').choices(['margin', 'loss', 'logit']))
    .option('--out <dir>', 'where the outcomes go (default: outcomes/ in the run)')
    .addOption(count('--parallel <count>', "trainings at a time (default: the run's own, else half the cores)"))
    .option('--yes', 'run the command without asking')
    .option('--json', 'print JSON');
}

const count = (flags: string, description: string) =>
  new Option(flags, description).argParser((text) => {
    const [number, ...more] = parseCounts(text);
    if (number !== undefined && more.length === 0) return number;
    throw new InvalidArgumentError('It must be one whole number above 0.');
  });

/** `train:1,5,9-12`: a split's name holds until another one stands. */
export function parseExamples(text: string): readonly QueryRange[] {
  let split = 'train';
  const named = text.split(',').map((part) => {
    const [name, rest] = part.includes(':') ? part.split(':') : [split, part];
    split = name?.trim() ?? split;
    return `${split}:${rest?.trim()}`;
  });
  return parseQueries(named.join());
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
