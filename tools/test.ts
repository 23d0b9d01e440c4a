import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything that has to hold, in the order of how quickly it tells: ends with one line, `N passed, N failed`. */
const checks = [
  { name: 'build', command: ['node', 'esbuild.mjs'] },
  { name: 'types', command: ['tsc', '-b'] },
  { name: 'lint', command: ['biome', 'check', '.'] },
];
const projects = ['unit', 'webview', 'e2e'];

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
}

let passed = 0;
let failed = 0;

for (const { name, command } of checks) {
  if ((await run(name, command)) !== 0) failed++;
}
for (const project of projects) {
  const file = join('test-results', `${project}.json`);
  await mkdir('test-results', { recursive: true });
  await rm(file, { force: true });
  const command = ['vitest', 'run', '--project', project, '--reporter=default', '--reporter=json'];
  const status = await run(project, [...command, `--outputFile.json=${file}`]);
  const report = await readFile(file, 'utf8').then<VitestReport, undefined>(JSON.parse, () => undefined);
  passed += report?.numPassedTests ?? 0;
  failed += report?.numFailedTests ?? 0;
  // A file that does not load, or a setup that throws, has no failed test to count.
  if (status !== 0 && !report?.numFailedTests) failed++;
}

process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
console.log(`${passed} passed, ${failed} failed`);

function run(name: string, [program, ...args]: readonly string[]): Promise<number> {
  console.log(`\n== ${name}`);
  const PATH = `${join(process.cwd(), 'node_modules', '.bin')}:${process.env.PATH ?? ''}`;
  return new Promise((resolve) => {
    const child = spawn(program ?? '', args, { stdio: 'inherit', env: { ...process.env, PATH } });
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
