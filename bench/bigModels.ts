import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type BigModel, weightBytes, writeBigRun } from './bigModelFiles';

/**
 * `node tools/run.mjs bench/bigModels.ts`: opens, binds, confirms and runs a model of 300 MB in one file and one of more than
 * 2 GB with external data. Needs 7 GB of disk in the system's temporary folder. The engine runs in a process of its own.
 */
interface Report {
  readonly stages: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly cpu: number;
    readonly peakMb: number;
  }[];
  readonly graphBytes: number;
}

const models: readonly BigModel[] = [
  { name: 'one-file', layers: 6, width: 4336, external: false },
  { name: 'external', layers: 10, width: 8192, external: true },
];

const run = promisify(execFile);

for (const model of models) {
  const folder = await writeBigRun(model);
  try {
    const { stdout } = await run(process.execPath, ['tools/run.mjs', 'bench/bigModelRun.ts', folder]);
    const { stages, graphBytes } = JSON.parse(stdout) as Report;
    const megabytes = weightBytes(model) / 1e6;
    const where = model.external ? 'in a file beside the model' : 'in the model';
    console.log(`${model.layers} layers of width ${model.width}: ${megabytes.toFixed(0)} MB of weights ${where}`);
    for (const { name, seconds, cpu, peakMb } of stages) {
      const times = `${seconds.toFixed(2).padStart(8)} s${cpu.toFixed(2).padStart(8)} CPU s`;
      console.log(`  ${name.padEnd(40)}${times}   peak ${peakMb.toFixed(0).padStart(5)} MB`);
    }
    console.log(`  the graph with gradients takes ${(graphBytes / 1e3).toFixed(1)} kB`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
