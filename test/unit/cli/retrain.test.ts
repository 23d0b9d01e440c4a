import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCommandLine, type CommandLine } from '../../support/commandLine';

const root = join(import.meta.dirname, '../../..');
const sample = join(root, 'sample/breast-cancer');
let whence: CommandLine;
let run = '';

/** Fails as a training does that has no room for one of its seeds, as long as the file is there; then it is the real one. */
const wrapper = `
import { existsSync } from 'node:fs';
if (existsSync('broken') && process.env.WHENCE_SEED === '3') {
  console.log('epoch 1 of 3');
  console.error('no room for more weights');
  process.exit(3);
}
await import('./train.mjs');
`;

const settings = {
  model: 'model.onnx',
  checkpoints: 'checkpoints/step-*.safetensors',
  data: { train: { format: 'csv', file: 'data/train.csv' }, test: { format: 'csv', file: 'data/test.csv' } },
  classes: ['malignant', 'benign'],
  preprocess: { standardize: true },
  optimizer: { kind: 'sgd', momentum: 0.9, learningRate: 0.05 },
  segments: 1,
  device: 'cpu',
};

/** A run that a script in plain JavaScript trained, with the way to train it anew. */
function makeRun(name: string, retrain: object): string {
  const folder = join(whence.folder, name);
  mkdirSync(folder);
  for (const part of ['data', 'model.onnx']) cpSync(join(sample, part), join(folder, part), { recursive: true });
  cpSync(join(root, 'test/fixtures/retrain/train.mjs'), join(folder, 'train.mjs'));
  writeFileSync(join(folder, 'train-or-fail.mjs'), wrapper);
  writeFileSync(join(folder, 'whence.json'), JSON.stringify({ ...settings, retrain }));
  return folder;
}

function train(folder: string): void {
  execFileSync(process.execPath, ['train.mjs', 'data/train.csv', 'all', '0', '.', 'every'], { cwd: folder });
}

beforeAll(() => {
  whence = buildCommandLine();
  const command = [process.execPath, 'train-or-fail.mjs', 'data/train.csv', '{subset}', '{seed}', '{out}'];
  run = makeRun('table', { command, parallel: 2 });
  train(run);
}, 60_000);
afterAll(() => whence.remove());

const outcomeLines = (folder: string) =>
  readFileSync(join(folder, 'outcomes.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { subset: number; repeat: number; values: number[]; predicted: number[] });

describe('retraining on halves', () => {
  const halves = ['--halves', '24', '--repeats', '2'];
  const outcomes = () => join(run, 'outcomes/halves');

  it('runs nothing before the command was shown and agreed to', async () => {
    const { code, stderr } = await whence.run(['retrain', run, ...halves]);
    expect(code).toBe(2);
    expect(stderr).toContain('train-or-fail.mjs data/train.csv {subset} {seed} {out}');
    expect(stderr).toContain('Add --yes to agree.');
    expect(existsSync(outcomes())).toBe(false);
  });

  it('is cancelled by Ctrl+C, with its trainings, and keeps what is done', async () => {
    let told = false;
    const { code, stderr } = await whence.run(['retrain', run, ...halves, '--yes'], (text, child) => {
      if (told || !existsSync(join(outcomes(), 'outcomes.jsonl')) || !text.includes('retraining:')) return;
      told = true;
      const wait = setInterval(() => {
        if (outcomeLines(outcomes()).length < 2) return;
        clearInterval(wait);
        child.kill('SIGINT');
      }, 50);
    });
    expect(code, stderr).toBe(130);
    const kept = outcomeLines(outcomes());
    expect(kept.length).toBeGreaterThanOrEqual(2);
    expect(kept.length).toBeLessThan(48);
    expect(trainingsAlive(run)).toEqual([]);
  });

  it('goes on where it was, and says which failed, with its last lines', async () => {
    writeFileSync(join(run, 'broken'), '');
    const before = outcomeLines(outcomes()).filter(({ subset, repeat }) => !(subset === 2 && repeat === 0));
    // As if the program had been ended in the middle of a line, and subset 2 had not been trained.
    const lines = before.map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(join(outcomes(), 'outcomes.jsonl'), `${lines}{"subset": 5, "rep`);
    const failed = await whence.run(['retrain', run, ...halves, '--yes']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain(`${before.length} of 48 trainings are done already.`);
    expect(failed.stderr).toContain('Subset 2, repeat 0 (seed 3) failed: exit code 3');
    expect(failed.stderr).toContain('| no room for more weights');
    expect(outcomeLines(outcomes())).toHaveLength(47);
    rmSync(join(run, 'broken'));
    const repeated = await whence.run(['retrain', run, ...halves, '--yes']);
    expect(repeated.code, repeated.stderr).toBe(0);
    expect(repeated.stderr).toContain('47 of 48 trainings are done already.');
    const all = outcomeLines(outcomes());
    expect(new Set(all.map(({ subset, repeat }) => `${subset} ${repeat}`)).size).toBe(48);
    expect(all.every(({ values, predicted }) => values.length === 100 && predicted.length === 100)).toBe(true);
    // What a training left is gone once it has been measured.
    expect(readdirSync(join(run, '.whence/retrain/halves'))).toEqual([]);
  }, 180_000);

  it('refuses to mix outcomes of another plan into the folder', async () => {
    const { code, stderr } = await whence.run(['retrain', run, ...halves, '--query', 'test:3', '--yes']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('its queries differ')]);
    const file = join(outcomes(), 'subsets.jsonl');
    const written = readFileSync(file, 'utf8');
    writeFileSync(file, written.replace('{"train":[', '{"train":[0,'));
    const edited = await whence.run(['retrain', run, ...halves, '--yes']);
    expect([edited.code, edited.stderr]).toEqual([2, expect.stringContaining('its subsets differ')]);
    writeFileSync(file, written);
  });

  it('is what scores are evaluated by: SOURCE foretells it, and better than the gradient dot product', async () => {
    const args = ['evaluate', run, '--outcomes', outcomes(), '--methods', 'source,gradient-dot', '--segments', '1,3'];
    const json = await whence.run([...args, '--json']);
    expect(json.code, json.stderr).toBe(0);
    const { methods, differences, best } = JSON.parse(json.stdout) as Evaluation;
    for (const { name, overQueries } of methods) console.log(`${name}: LDS ${overQueries.mean.toFixed(3)}`);
    const [source, , dot] = methods;
    expect(source!.overQueries.low).toBeGreaterThan(0.3);
    expect(source!.overBoth.low).toBeGreaterThan(0.1);
    expect(source!.overQueries.mean).toBeLessThan(best.mean);
    expect(
      differences.find(({ name }) => name === `${source!.name}, less ${dot!.name}`)!.overQueries.low,
    ).toBeGreaterThan(0.1);
    const short = [...args.slice(0, 4), '--methods', 'source', '--segments', '1'];
    const [text, csv] = [await whence.run(short), await whence.run([...short, '--csv'])];
    expect(text.stdout).toContain('24 subsets, up to 2 retrainings each; margin of 100 examples of test');
    expect(text.stdout).toMatch(/SOURCE, 1 segment +0\.\d{3} +\[0\.\d{3}, 0\.\d{3}\]/);
    expect(csv.stdout.split('\n')[1]).toContain(`"SOURCE, 1 segment",${source!.overQueries.mean},`);
  }, 120_000);
});

interface Interval {
  readonly mean: number;
  readonly low: number;
}
interface Row {
  readonly name: string;
  readonly overQueries: Interval;
  readonly overBoth: Interval;
}
interface Evaluation {
  readonly methods: readonly Row[];
  readonly differences: readonly Row[];
  readonly best: Interval;
}

/** Processes that run a training of this folder. */
function trainingsAlive(folder: string): readonly string[] {
  if (process.platform === 'win32') return [];
  const lines = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes('train-or-fail.mjs') && line.includes(folder));
}

describe('one claim', () => {
  it('is verified: without its strongest proponents a margin falls, as their scores say', async () => {
    const args = ['attribute', '--workspace', run, '--query', 'test:4', '--top', '12', '--json'];
    const { stdout } = await whence.run(args);
    const { towards } = JSON.parse(stdout) as { towards: { example: { id: { index: number } } }[] };
    const group = `train:${towards.map(({ example }) => example.id.index).join()}`;
    const without = ['retrain', run, '--without', group, '--query', 'test:4', '--repeats', '4', '--yes'];
    const ended = await whence.run([...without, '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    const { queries } = JSON.parse(ended.stdout) as Claim;
    expect(queries[0]!.measured).toBeLessThan(-2 * queries[0]!.error);
    expect(queries[0]!.predicted.source).toBeLessThan(0);
    const text = await whence.run(without);
    expect(text.stderr).toContain('8 of 8 trainings are done already.');
    expect(text.stdout).toMatch(/Trained 4 times with and without 12 examples/);
    const wrong = await whence.run(['retrain', run, '--without', 'test:1', '--yes']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('test is not trained on')]);
  }, 120_000);

  it('has a curve: leaving out more proponents changes more', async () => {
    const args = ['retrain', run, '--removal', 'test:4', '--method', 'source', '--counts', '2,60', '--repeats', '2'];
    const made = await whence.run([...args, '--yes']);
    expect(made.code, made.stderr).toBe(0);
    const outcomes = join(run, 'outcomes/removal-test-4');
    const curve = await whence.run(['evaluate', run, '--curve', 'removal', '--outcomes', outcomes, '--json']);
    const { curves } = JSON.parse(curve.stdout) as Curves;
    expect(curves[0]!.curve.map(({ count }) => count)).toEqual([0, 2, 60]);
    const [none, few, many] = curves[0]!.curve.map(({ change }) => change.mean);
    expect([none, many! < few!, many! < 0]).toEqual([0, true, true]);
    expect(made.stdout).toMatch(/source +60 /);
  }, 120_000);
});

interface Claim {
  readonly queries: readonly { measured: number; error: number; predicted: { source: number } }[];
}
interface Curves {
  readonly curves: readonly { curve: readonly { count: number; change: { mean: number } }[] }[];
}

describe('a training of the shell that measures by itself', () => {
  it('says losses, is held to its time, and takes what it started with it', async () => {
    const script = `
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
const { queries } = JSON.parse(readFileSync(process.env.WHENCE_QUERIES, 'utf8'));
const rows = JSON.parse(readFileSync(process.env.WHENCE_SUBSET, 'utf8'));
if (process.env.WHENCE_SEED === '2') {
  spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)', 'train-or-fail.mjs', process.cwd()]);
  console.log('started');
  setInterval(() => 0, 1000);
} else {
  writeFileSync(process.argv[2] + '/measured.json', JSON.stringify({ losses: queries.map((q) => q + rows.length) }));
}
`;
    const command = `"${process.execPath}" measure.mjs {out}`;
    const folder = makeRun('shell', { command, subset: 'json', results: 'measured.json', timeout: 8, parallel: 2 });
    train(folder);
    writeFileSync(join(folder, 'measure.mjs'), script);
    const out = join(folder, 'made here');
    const args = ['retrain', folder, '--halves', '2', '--query', 'test:5-6', '--measurement', 'loss', '--out', out];
    const { code, stderr } = await whence.run([...args, '--yes']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('Subset 1, repeat 0 (seed 2) failed: it took longer than 8 s'),
    ]);
    expect(stderr).toContain('| started');
    expect(trainingsAlive(folder)).toEqual([]);
    expect(outcomeLines(out).map(({ subset, values }) => [subset, values])).toEqual([[0, [-218, -219]]]);
  }, 60_000);
});

it('evaluates the suspect list by labels that are known to be wrong', async () => {
  const folder = makeRun('mislabelled', { command: ['node', 'train.mjs'] });
  const file = join(folder, 'data/train.csv');
  const rows = readFileSync(file, 'utf8').trim().split('\n');
  const wrong = Array.from({ length: 20 }, (_, at) => 11 + 19 * at);
  for (const index of wrong) {
    const row = rows[index + 1]!;
    rows[index + 1] = row.endsWith('malignant')
      ? row.replace('malignant', 'benign')
      : row.replace('benign', 'malignant');
  }
  writeFileSync(file, `${rows.join('\n')}\n`);
  writeFileSync(join(folder, 'wrong.txt'), wrong.join('\n'));
  train(folder);
  const args = ['evaluate', folder, '--curve', 'mislabel', '--flipped', join(folder, 'wrong.txt')];
  const json = await whence.run([...args, '--json']);
  expect(json.code, json.stderr).toBe(0);
  const { curves } = JSON.parse(json.stdout) as { curves: { name: string; area: number; found: number[] }[] };
  expect(curves.map(({ found }) => [found.length, found[0], found.at(-1)!.toFixed(9)])).toEqual(
    curves.map(() => [427, 0, '1.000000000']),
  );
  expect(curves[0]!.area).toBeGreaterThan(0.8);
  const text = await whence.run(args);
  expect(text.stdout).toContain(`area under the curve: .5 by chance, ${(1 - 20 / 852).toFixed(3)} at best`);
}, 60_000);
