import { spawn } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
let folder = '';
let table = '';
let images = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-run-'));
  const banner = {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  };
  const common = { bundle: true, platform: 'node', format: 'esm', banner } as const;
  // As esbuild.mjs bundles them.
  const packages = { mainFields: ['module', 'main'], external: ['onnxruntime-node'] };
  for (const [name, entry] of [
    ['cli', 'cli/main'],
    ['worker', 'worker/main'],
    ['eigenThread', 'worker/eigenThread'],
  ]) {
    buildSync({
      ...common,
      ...packages,
      entryPoints: [join(root, `src/${entry}.ts`)],
      outfile: join(folder, 'dist', `${name}.mjs`),
    });
  }
  copyFileSync(join(root, 'media/eigh.wasm'), join(folder, 'dist/eigh.wasm'));
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const copyOf = (sample: string) => {
    const place = join(folder, sample);
    // Neither a whence.json nor finished stages: a folder as training left it.
    const filter = (path: string) => !path.endsWith('.whence') && !path.endsWith('whence.json');
    cpSync(join(root, 'sample', sample), place, { recursive: true, filter });
    return place;
  };
  table = copyOf('breast-cancer');
  images = copyOf('fashion-mnist');
});
afterAll(() => rmSync(folder, { recursive: true }));

function whence(args: readonly string[], onStderr?: (text: string, interrupt: () => void) => void) {
  const child = spawn(process.execPath, [join(folder, 'dist/cli.mjs'), ...args], { cwd: folder });
  let [stdout, stderr] = ['', ''];
  let interrupted = false;
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    // Once: a second Ctrl+C would end the program instead of cancelling the call.
    onStderr?.(stderr, () => {
      if (!interrupted) interrupted = child.kill('SIGINT');
    });
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

interface Answer {
  readonly query: {
    readonly id: { index: number };
    readonly label: number;
    readonly prediction: { predicted: number };
  };
  readonly towards: readonly { readonly score: number; readonly example: { readonly id: { index: number } } }[];
  readonly away: readonly { readonly score: number }[];
  readonly hash: string;
  readonly classes: readonly string[];
}

describe('on the table sample', () => {
  it('says what is there before it is set up, and sets it up once', async () => {
    const before = await whence(['inspect', table]);
    expect(before.code, before.stderr).toBe(0);
    expect(before.stdout).toContain('Not set up');
    const setup = await whence(['setup', table]);
    expect(setup.code, setup.stderr).toBe(0);
    expect(setup.stdout.trim()).toBe(join(table, 'whence.json'));
    const written = readFileSync(join(table, 'whence.json'), 'utf8');
    const again = await whence(['setup', table]);
    expect([again.code, again.stdout]).toEqual([0, '']);
    expect(readFileSync(join(table, 'whence.json'), 'utf8')).toBe(written);
    const after = await whence(['inspect', table]);
    expect(after.stdout).not.toContain('Not set up');
  });

  it('attributes a wrong prediction, the same way as JSON and as text', async () => {
    const page = join(folder, 'page.html');
    const args = ['attribute', '--workspace', table, '--query', 'wrong:1', '--top', '5', '--device', 'cpu'];
    const json = await whence([...args, '--json']);
    expect([json.code, json.stderr]).toEqual([0, '']);
    const answer = JSON.parse(json.stdout) as Answer;
    expect(answer.query.label).not.toBe(answer.query.prediction.predicted);
    expect(answer.towards).toHaveLength(5);
    expect(
      answer.towards.every(({ score }, at) => score > 0 && score <= (answer.towards[at - 1]?.score ?? Infinity)),
    ).toBe(true);
    expect(answer.away.every(({ score }) => score < 0)).toBe(true);
    const text = await whence([...args, '--memory', '600', '--html', page]);
    expect(text.code, text.stderr).toBe(0);
    const scarce = await whence([...args, '--memory', '12']);
    expect([scarce.code === 0, scarce.stderr]).toEqual([false, expect.stringContaining('at least 512')]);
    expect(text.stdout).toContain(`train:${answer.towards[0]?.example.id.index} `);
    expect(readFileSync(page, 'utf8')).toContain('<ol>');
  });

  it('tells what a group did together, by any method, and what moved its own loss', async () => {
    const asked = ['--workspace', table, '--device', 'cpu', '--method', 'trak'];
    const query = ['--query', 'test:3', '--json'];
    const one = await whence(['attribute', ...asked, ...query, '--top', '1']);
    expect(one.code, one.stderr).toBe(0);
    const { towards } = JSON.parse(one.stdout) as Answer;
    const { index } = towards[0]!.example.id;
    const group = await whence(['attribute', ...asked, ...query, '--group', `train:${index}`]);
    expect(group.code, group.stderr).toBe(0);
    const sums = JSON.parse(group.stdout) as { group: { examples: number; towards: number; away: number } };
    expect(sums.group).toEqual({ examples: 1, towards: towards[0]!.score, away: 0 });
    const text = await whence(['attribute', ...asked, '--query', 'test:3', '--group', `train:${index},0-9`]);
    expect(text.stdout).toMatch(/towards \S+ .* %\n/);
    const wrong = await whence(['attribute', ...asked, ...query, '--group', 'test:1']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('no training data')]);
    const own = await whence(['self-influence', ...asked, '--top', '2']);
    expect(own.stdout, own.stderr).toMatch(/\n2 of \d+ training examples, by TRAK/);
  });

  it('writes scores that other tools read', async () => {
    const out = join(folder, 'scores.npy');
    const ended = await whence([
      'scores',
      '--workspace',
      table,
      '--queries',
      'test:0-2,wrong:1',
      '--out',
      out,
      '--device',
      'cpu',
    ]);
    expect(ended.code, ended.stderr).toBe(0);
    const header = readFileSync(out).subarray(0, 128).toString('latin1');
    expect(header).toContain("'descr': '<f4'");
    expect(header).toMatch(/'shape': \(4, \d+\)/);
  });

  it('lists suspects, checkpoints and devices', async () => {
    const [suspects, check, providers] = [
      await whence(['suspects', '--workspace', table, '--top', '3']),
      await whence(['check', table]),
      await whence(['providers', table]),
    ];
    expect([suspects.code, check.code, providers.code], suspects.stderr + check.stderr + providers.stderr).toEqual([
      0, 0, 0,
    ]);
    expect(suspects.stdout).toMatch(/^rank {2}example/);
    expect(check.stdout).toMatch(/accuracy/);
    expect(providers.stdout).toMatch(/^cpu +(yes|no)/m);
  });

  it('names what is wrong with a query, a class, a run and a folder', async () => {
    const attribute = ['attribute', '--workspace', table, '--device', 'cpu'];
    const [outside, unknown, run, nowhere] = await Promise.all([
      whence([...attribute, '--query', 'test:100000']),
      whence([...attribute, '--query', 'test:0', '--target', 'zebra']),
      whence([...attribute, '--query', 'test:0', '--run', 'nobody']),
      whence(['attribute', '--workspace', join(folder, 'nowhere'), '--query', 'test:0']),
    ]);
    expect([outside.code, unknown.code, run.code, nowhere.code]).toEqual([2, 2, 2, 1]);
    expect(unknown.stderr).toContain('no class zebra');
    expect(run.stderr).toContain('nobody');
    expect(nowhere.stderr).toContain('nowhere');
    for (const { stderr } of [outside, unknown, run, nowhere]) expect(stderr).not.toContain('    at ');
  });
});

describe('on the images sample', () => {
  it('sets itself up, is cancelled by Ctrl+C, and goes on from the finished stages', async () => {
    const args = ['attribute', '--workspace', images, '--query', 'wrong:1', '--top', '3', '--device', 'cpu'];
    const cancelled = await whence(args, (stderr, interrupt) => {
      if (/eigenvectors|eigenvalues/.test(stderr)) interrupt();
    });
    expect(cancelled.code, cancelled.stderr).toBe(130);
    expect(cancelled.stderr).toContain('Wrote ');
    expect(cancelled.stderr).toContain('Finished stages are kept.');
    expect(existsSync(join(images, 'whence.json'))).toBe(true);
    const whole = await whence(args);
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.stdout).toContain('Pushed towards');
    const repeated = await whence(args);
    const withoutTime = (text: string) => text.replace(/\d+\.\d\d s$/m, '');
    expect(withoutTime(repeated.stdout)).toBe(withoutTime(whole.stdout));
  }, 180_000);
});
