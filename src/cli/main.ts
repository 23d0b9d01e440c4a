import { readFileSync } from 'node:fs';
import { runCommandLine } from './program';

// A reader that has seen enough (`whence ... | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// The bundle lies in dist/.
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
process.exitCode = await runCommandLine(process.argv.slice(2), new URL('./worker.mjs', import.meta.url), version);
