import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a program writes to standard output. */
export function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(text) : reject(new Error(`${program} ended with code ${code}`))));
  });
}

/** A process that answers a line with a line. */
export interface LineProcess {
  /** The next line that it says. */
  next(): Promise<string>;
  ask(line: string): Promise<string>;
  end(): void;
}

export function lineProcess(program: string, args: readonly string[]): LineProcess {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done) throw new Error(`${program} ${args.join(' ')} ended before it answered.`);
    return line.value;
  };
  return {
    next,
    ask(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
    end: () => child.stdin.end(),
  };
}
