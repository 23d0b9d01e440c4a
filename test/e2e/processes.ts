import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Processes below `ancestor` whose command line holds `words`. */
export async function findDescendants(ancestor: number, words: string): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  const table = stdout.split('\n').flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid ? [{ pid: Number(pid), parent: Number(parent), command: command ?? '' }] : [];
  });
  const found = new Set([ancestor]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid);
  }
  return table.filter(({ pid, command }) => found.has(pid) && command.includes(words)).map(({ pid }) => pid);
}
