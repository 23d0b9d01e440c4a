/**
 * The engine's process, forked by the extension or the command line. Arguments: `--device NAME` and `--memory MEGABYTES`
 * override what `whence.json` says; `--check-provider` makes it the short-lived process that tries one device, `--try-graph`
 * the one that tries a model, `--set-up-gpu` the one that finds and fetches CUDA's libraries. What is not caught goes to
 * stderr and ends the process with code 1, as Node does by itself.
 */
import { createEngine } from '../engine/engine';
import { connect } from '../protocol/connection';
import type { EngineApi } from '../protocol/engineApi';
import { type GpuApi, gpuArgument } from '../protocol/gpuApi';
import { checkArgument, serveCheck } from './checkProcess';
import { gpuSetUp } from './gpu/gpuSetUp';
import { nodeHost } from './host';
import { parentPort } from './parentPort';
import { serveTrial, trialArgument } from './trialProcess';

// A terminal sends Ctrl+C to the whole group; the parent decides what it means.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));

if (process.argv.includes(checkArgument)) {
  serveCheck();
} else if (process.argv.includes(trialArgument)) {
  serveTrial();
} else if (process.argv.includes(gpuArgument)) {
  const program = new URL(import.meta.url);
  connect<Record<string, never>, GpuApi>(parentPort()).serve(gpuSetUp({ program }));
} else {
  const argumentOf = (name: string) => process.argv[process.argv.indexOf(name) + 1 || process.argv.length];
  const memory = Number(argumentOf('--memory'));
  const host = nodeHost(new URL(import.meta.url), argumentOf('--device'), memory > 0 ? memory : undefined);
  connect<Record<string, never>, EngineApi>(parentPort()).serve(createEngine(host));
}
