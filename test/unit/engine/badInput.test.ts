import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { makeTinyRun, type TinyRun } from '../../support/tinyRun';
import { badInputs, last } from './badInputs';

let engine: EngineHandlers;
const folders: string[] = [];
beforeAll(async () => {
  engine = createEngine(await testHost());
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function tinyRun(): Promise<TinyRun> {
  const run = await makeTinyRun();
  folders.push(run.folder);
  return run;
}

const attribute = ({ config }: TinyRun) =>
  engine.attribute({ config, query: { split: 'test', index: 0 }, method: 'source', top: 3 }, quietContext());

/** What lies in the store is whole files only, whatever went wrong. */
async function expectNothingHalf({ folder }: TinyRun): Promise<void> {
  const stored = await readdir(join(folder, '.whence')).catch(() => []);
  expect(stored.filter((name) => !/^(\.gitignore|[a-z]+-[0-9a-f]{32}\.safetensors)$/.test(name))).toEqual([]);
}

describe.for(badInputs)('$name', ({ file, spoil, code, says }) => {
  test('is refused by file and place, and no longer when mended', async () => {
    const run = await tinyRun();
    const path = join(run.folder, file);
    const sound = file === '' ? undefined : await readFile(path);
    await spoil(path, run);
    const error = await failure(attribute(run));
    expect({ code: error.code, text: error.describe() }).toEqual({ code, text: expect.stringMatching(says) });
    expect(error.details.file).toBe(path.replace(/\/$/, ''));
    expect(error.details.mend ?? 'no mend').toMatch(/^[A-Z].*\.$/s);
    await expectNothingHalf(run);
    // A folder's inspection lists the run whatever its state.
    const { runs } = await engine.inspect({ folder: run.folder }, quietContext());
    expect(runs.map(({ config }) => config)).toEqual([run.config]);
    if (sound) await writeFile(path, sound);
    else await writeFile(run.config, JSON.stringify(run.settings));
    expect((await attribute(run)).examples).toBe(30);
  });
});

describe('a run that worked before', () => {
  test('is refused when a checkpoint is damaged, and works when it is back', async () => {
    const run = await tinyRun();
    const before = await attribute(run);
    const path = join(run.folder, last);
    const sound = await readFile(path);
    await truncate(path, 400);
    expect((await failure(attribute(run))).details.file).toBe(path);
    await writeFile(path, sound);
    expect((await attribute(run)).towards).toEqual(before.towards);
  });

  test('does not keep others waiting when it fails', async () => {
    const [broken, sound] = [await tinyRun(), await tinyRun()];
    await truncate(join(broken.folder, last), 100);
    const [first, second] = await Promise.allSettled([attribute(broken), attribute(sound)]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
  });
});

/** Rights do not bind a superuser: then the effective user is changed for the time of the act. */
async function asOrdinaryUser<T>(act: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return act();
  process.seteuid!(65534);
  try {
    return await act();
  } finally {
    process.seteuid!(0);
  }
}

describe.skipIf(process.platform === 'win32')('rights', () => {
  test.for(['checkpoints', 'whence.json', 'train.csv', '.whence'])(
    'without them %s is refused by name',
    async (name) => {
      const run = await tinyRun();
      await chmod(run.folder, 0o755);
      const path = join(run.folder, name);
      if (name === '.whence') await mkdir(path);
      await chmod(path, 0o000);
      const error = await asOrdinaryUser(() => failure(attribute(run)));
      expect(error.code).toBe('unreadable');
      expect(error.details.file!.startsWith(path)).toBe(true);
      expect(error.details.mend).toMatch(/rights/);
      await chmod(path, name.includes('.csv') || name.includes('.json') ? 0o644 : 0o755);
      expect((await attribute(run)).examples).toBe(30);
    },
  );
});

describe('a full disk', () => {
  test('is said by name, leaves nothing half-written, and is over when there is room', async (context) => {
    const run = await tinyRun();
    const store = join(run.folder, '.whence');
    await mkdir(store);
    try {
      // Room for one page: the stages do not fit.
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', store], { stdio: 'ignore' });
    } catch {
      context.skip('a real full disk needs the right to mount a file system');
      return;
    }
    try {
      const error = await failure(attribute(run));
      expect(error.code).toBe('disk-full');
      expect(error.details.file!.startsWith(store)).toBe(true);
      expect(error.details.mend).toMatch(/[Ff]ree/);
      await expectNothingHalf(run);
      const again = await failure(attribute(run));
      expect(again.code).toBe('disk-full');
    } finally {
      execFileSync('umount', [store]);
    }
    expect((await attribute(run)).examples).toBe(30);
  });
});
