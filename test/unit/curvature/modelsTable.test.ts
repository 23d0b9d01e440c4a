import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fileOf, networkNames, variants } from '../../support/goldenNetwork';

/** docs/models.md has a row for every network, a cell for every exporter's form, and a reason for everything refused. */

const lines = readFileSync('docs/models.md', 'utf8').split('\n');
const rows = new Map(
  lines
    .filter((line) => line.startsWith('| '))
    .map((line) => {
      const [name = '', parameters = '', ...cells] = line.slice(2, -2).split(' | ');
      return [name, { parameters, cells }];
    }),
);

test('the table has the networks of the fixtures and no others', () => {
  expect([...rows.keys()].slice(2).sort()).toEqual([...networkNames].sort());
});

describe.each(networkNames)('%s', (name) => {
  test.each(variants)('%s', (variant) => {
    const { parameters, cells } = rows.get(name)!;
    const cell = cells[variants.indexOf(variant)]!;
    const reasons = (where: string) => lines.filter((line) => line.startsWith(`- ${name}, ${where}: `)).length;
    expect(parameters).toMatch(/^\d+ of \d+$/);
    if (!fileOf(name, variant)) expect(cell).toBe('not exported');
    else if (cell === 'refused') expect(reasons(variant)).toBe(1);
    else {
      const [error, device] = cell.split(' / ');
      expect(Number(error)).toBeLessThan(1e-5);
      expect(reasons(`${variant} on WebGPU`)).toBe(device === 'refused' ? 1 : 0);
    }
  });
});
