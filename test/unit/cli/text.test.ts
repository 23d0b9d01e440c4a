import { describe, expect, it } from 'vitest';
import { groupText } from '../../../src/cli/groupText';
import { influenceText } from '../../../src/cli/influenceText';
import { toJson } from '../../../src/cli/json';
import { clock, progressLine } from '../../../src/cli/progressLine';
import { parseGroup, parseQueries, parseQuery } from '../../../src/cli/queries';
import { parseLabel } from '../../../src/cli/runs';
import { table } from '../../../src/cli/table';
import { directions, placeName, signed } from '../../../src/cli/words';
import type { Progress } from '../../../src/protocol/model';
import { influence, run } from './example';

describe('queries', () => {
  it('are examples, ranges and lists', () => {
    expect(parseQuery('test:17')).toEqual({ split: 'test', from: 17, to: 17 });
    expect(parseQueries('test:0-99, wrong:1')).toEqual([
      { split: 'test', from: 0, to: 99 },
      { split: 'wrong', from: 1, to: 1 },
    ]);
  });

  it('refuse what they are not', () => {
    for (const text of [
      '',
      'test',
      'test:',
      'test:-1',
      'test:1.5',
      ':3',
      'test:1-',
      'test:9-3',
      'wrong:0',
      'test:1,',
    ]) {
      expect(() => parseQueries(text), text).toThrow();
    }
    expect(() => parseQuery('test:0-3')).toThrow(/one example/);
  });

  it('make groups of examples or of classes', () => {
    expect(parseGroup('train:1,5,9-20')).toEqual({
      kind: 'examples',
      ranges: [
        { split: 'train', from: 1, to: 1 },
        { split: 'train', from: 5, to: 5 },
        { split: 'train', from: 9, to: 20 },
      ],
    });
    expect(parseGroup('class:Coat, Bag')).toEqual({ kind: 'classes', names: ['Coat', 'Bag'] });
    for (const text of ['', '1,2', 'train:', 'class:', 'train:1,x']) expect(() => parseGroup(text), text).toThrow();
  });

  it('name classes by name or number', () => {
    expect(parseLabel('Bag', run.classes)).toBe(2);
    expect(parseLabel('1', run.classes)).toBe(1);
    expect(parseLabel('-2.5', [])).toBe(-2.5);
    for (const text of ['bag', '3', '1.5', '']) expect(() => parseLabel(text, run.classes), text).toThrow(/no class/);
  });
});

describe('text', () => {
  it('tells what truncating a query left out of it', () => {
    const truncated = { ...influence, truncation: { rank: 16, relativeError: 0.01234 } };
    expect(influenceText(truncated, run)).toContain('queries in rank 16, which leaves out 1.2 % of their norm');
    expect(influenceText(influence, run)).not.toContain('rank 16');
  });

  it('says what a score means, in words', () => {
    const text = influenceText(influence, run);
    const lines = text.split('\n');
    expect(lines[0]).toMatch(/^test:17 {2}.*test-images\.gz #17$/);
    expect(lines[1]).toBe('  label T-shirt/top, predicted <b>Shirt</b> & "co" (87.2 %), wrong');
    expect(text).toContain('Pushed towards <b>Shirt</b> & "co"\nrank  example');
    expect(text).toMatch(/ 1 {2}train:40 .* towards <b>Shirt<\/b> & "co" \+0\.0841 {2}\+0\.100 {3}-0\.0159 .*#40/);
    expect(text).toMatch(/ 1 {2}train:3 .* away from <b>Shirt<\/b> & "co" -0\.0483/);
    expect(directions({ kind: 'loss', target: 2 }, run.classes)[0].heading).toBe('Lowered the loss of Bag');
  });

  it('aligns tables', () => {
    const columns = [{ title: 'n', align: 'right' as const }, { title: 'name' }];
    expect(
      table(columns, [
        ['1', 'é'],
        ['10', 'long'],
      ]),
    ).toBe(' n  name\n 1  é\n10  long');
  });

  it('writes numbers and places', () => {
    expect([signed(0.0841), signed(-12), signed(0), signed(1e-7)]).toEqual(['+0.0841', '-12.0', '+0.00', '+1.00e-7']);
    expect(placeName({ file: '/a/b/c.csv', index: 3, line: 5 }, '/a')).toBe('b/c.csv:5');
    expect(placeName({ file: '/a/c.gz', index: 3 }, '/other')).toBe('/a/c.gz #3');
    expect([clock(7.2), clock(110), clock(7500)]).toEqual(['0:07', '1:50', '2:05:00']);
  });

  it('writes JSON that holds pixels as base64', () => {
    const parsed: unknown = JSON.parse(toJson(influence));
    expect(parsed).toMatchObject({
      query: { preview: { pixels: Buffer.from(Array.from({ length: 16 }, (_, i) => i * 16)).toString('base64') } },
    });
  });
});

describe('progress', () => {
  const progress = (phase: Progress['phase'], done: number): Progress => ({
    phase,
    message: 'segment 2 of 3',
    done,
    total: 100,
    remainingSeconds: 110,
  });

  function shown(isTTY: boolean, at: readonly [number, Progress][]): string[] {
    let time = 0;
    const written: string[] = [];
    const line = progressLine({ isTTY, columns: 60, write: (text: string) => written.push(text) }, () => time);
    for (const [when, value] of at) {
      time = when;
      line.show(value);
    }
    line.end();
    return written;
  }

  it('redraws one line on a terminal, not too often, never wider than it', () => {
    const written = shown(true, [
      [0, progress('curvature', 41)],
      [50, progress('curvature', 42)],
      [150, progress('scoring', 50)],
    ]);
    expect(written).toHaveLength(3);
    expect(written[0]).toBe(
      `\r\u001b[2K${'[########............]  41 % curvature: segment 2 of 3, 1:50 left'.slice(0, 59)}`,
    );
    expect(written.at(-1)).toBe('\r\u001b[2K');
  });

  it('writes a line now and then elsewhere', () => {
    const at: [number, Progress][] = [0, 5_000, 10_000, 10_001].map((time) => [
      time,
      progress(time > 10_000 ? 'scoring' : 'curvature', 41),
    ]);
    const written = shown(false, at);
    expect(written).toHaveLength(3);
    expect(written[0]).toBe(' 41 % curvature: segment 2 of 3, 1:50 left\n');
  });
});

it('a group is told with its share of all training examples', () => {
  const { query, method, measurement } = influence;
  const group = { examples: 2, towards: 1.5, away: -0.25 };
  const all = { examples: 40, towards: 6, away: -2 };
  const text = groupText({ run: run.config, query, method, measurement, group, all, hash: '', seconds: 0.5 }, run);
  expect(text).toMatch(/examples +2 +40 +5\.0 %/);
  expect(text).toMatch(/towards \S.* \+1\.50 +\+6\.00 +25\.0 %/);
  expect(text).toMatch(/away from \S.* -0\.250 +-2\.00 +12\.5 %/);
  expect(text).toMatch(/together +\+1\.25 +\+4\.00$/);
});
