import { version } from '../../package.json';
import { runCommandLine } from './program';

// A reader that has seen enough (`whence ... | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCommandLine(process.argv.slice(2), new URL('./worker.mjs', import.meta.url), version);
