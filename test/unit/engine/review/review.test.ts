import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  addDecision,
  currentDecisions,
  exportReview,
  readReview,
  undoDecision,
} from '../../../../src/engine/review/review';
import type { ReviewDecision } from '../../../../src/protocol/model';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf } from '../../formats/files';

const files = nodeFiles();
let folder: string;
let config: string;
let reviewFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-review-'));
  config = join(folder, 'whence.json');
  reviewFile = join(folder, 'whence.review.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const decide = (index: number, change: Partial<ReviewDecision> = {}): ReviewDecision => ({
  example: { split: 'train', index },
  action: 'exclude',
  givenLabel: 3,
  at: '2026-01-02T03:04:05.000Z',
  ...change,
});

const indices = async () => (await readReview(config, files)).decisions.map(({ example }) => example.index);

describe('a review', () => {
  test('is empty without a file, and reading makes none', async () => {
    expect(await readReview(config, files)).toEqual({ file: reviewFile, decisions: [], canUndo: false });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('keeps decisions over restarts and takes the last back', async () => {
    const relabel = decide(5, { action: 'relabel', newLabel: 7 });
    await addDecision(config, relabel, files);
    const review = await addDecision(config, decide(6), files);
    expect(review).toEqual({ file: reviewFile, decisions: [relabel, decide(6)], canUndo: true });
    expect(await readReview(config, nodeFiles())).toEqual(review);
    expect((await undoDecision(config, files)).decisions).toEqual([relabel]);
    expect((await undoDecision(config, files)).canUndo).toBe(false);
    expect((await undoDecision(config, files)).decisions).toEqual([]);
    expect(readdirSync(folder)).toEqual(['whence.review.json']);
  });

  test('loses none of many decisions at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => addDecision(config, decide(index), files)));
    expect(await indices()).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test('builds on what someone else wrote meanwhile, and carries along what it does not know', async () => {
    await addDecision(config, decide(1), files);
    const content = JSON.parse(readFileSync(reviewFile, 'utf8'));
    content.reviewer = 'Ada';
    content.decisions.push({ ...decide(2), note: 'blurred' });
    writeFileSync(reviewFile, JSON.stringify(content));
    await addDecision(config, decide(3), files);
    expect(await indices()).toEqual([1, 2, 3]);
    const after = JSON.parse(readFileSync(reviewFile, 'utf8'));
    expect(after).toMatchObject({ version: 1, reviewer: 'Ada' });
    expect(after.decisions[1].note).toBe('blurred');
  });

  test.each([
    ['', undefined],
    ['{ "version": 1, "decisions": [', undefined],
    ['{ "version": 2, "decisions": [] }', 'version'],
    ['{ "version": 1, "decisions": [{ "action": "burn" }] }', 'decisions.0.example'],
  ])('damaged as %j is an error and stays as it is', async (text, place) => {
    writeFileSync(reviewFile, text);
    for (const act of [readReview(config, files), addDecision(config, decide(1), files), undoDecision(config, files)]) {
      const error = await failureOf(act);
      expect(error).toMatchObject({ code: 'malformed-file', details: { file: reviewFile } });
      expect(error.details.place).toBe(place);
      expect(error.details.mend).toBeTruthy();
    }
    expect(readFileSync(reviewFile, 'utf8')).toBe(text);
    writeFileSync(reviewFile, '{ "version": 1, "decisions": [] }');
    expect((await addDecision(config, decide(1), files)).decisions).toHaveLength(1);
  });

  test('lets the last decision on an example stand', () => {
    const keep = decide(1, { action: 'keep' });
    expect([...currentDecisions([decide(1), decide(2), keep]).values()]).toEqual([decide(2), keep]);
  });

  test('exports the decisions that stand', async () => {
    await addDecision(config, decide(1), files);
    await addDecision(config, decide(2, { action: 'relabel', newLabel: 0 }), files);
    await addDecision(config, decide(1, { action: 'keep', at: '2026-01-03T00:00:00.000Z' }), files);
    const out = join(folder, 'review.csv');
    const locate = ({ index }: { index: number }) => ({
      file: join(folder, 'data', 'a,b.csv'),
      index,
      line: index + 2,
    });
    const labelName = (label: number) => ['the "first"', 'b', 'c', 'd'][label]!;
    expect(await exportReview(config, out, locate, labelName, files)).toEqual({ rows: 2 });
    expect(readFileSync(out, 'utf8')).toBe(
      [
        'split,index,file,line,action,given_label,new_label,at',
        'train,2,"data/a,b.csv",4,relabel,d,"the ""first""",2026-01-02T03:04:05.000Z',
        'train,1,"data/a,b.csv",3,keep,d,,2026-01-03T00:00:00.000Z',
        '',
      ].join('\n'),
    );
  });
});
