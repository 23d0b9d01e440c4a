import { createInterface } from 'node:readline/promises';
import { WhenceError } from '../protocol/errors';

/** Asks on the terminal; where there is none, an error that says what agrees beforehand. */
export async function agreed(question: string, what: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new WhenceError('bad-argument', `There is no terminal to ask whether to ${what}.`, {
      mend: 'Add --yes to agree.',
    });
  }
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await questions.question(`${question} [y/N] `)).trim());
  } finally {
    questions.close();
  }
}
