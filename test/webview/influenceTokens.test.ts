import { expect, it } from 'vitest';
import type { InfluenceSnapshot } from '../../src/protocol/viewApi';
import { useInfluenceView } from './influenceView';
import { influenceResult, text } from './samples';

const open = useInfluenceView();

/** A result of a language model: no labels, one loss over all tokens. */
function tokensShown(): InfluenceSnapshot {
  const words = 'The licence applies to the program as a whole, and to every part of it that is sold.';
  const result = influenceResult({
    preview: (index) => text(`${index}. ${words}`),
    classes: [],
    influence: { measurement: { kind: 'loss', target: Number.NaN }, byClass: [] },
  });
  const prediction = { predicted: Number.NaN, confidence: 0.033, loss: 3.404, probabilities: [] };
  const query = { ...result.influence.query, label: Number.NaN, prediction };
  return { state: 'shown', result: { ...result, influence: { ...result.influence, query } }, stale: false };
}

it('says of a language model what its tokens cost, and of no example a label', async () => {
  const { page, picture, violations, complaints } = await open(tokensShown(), { width: 420 });
  const query = page.getByRole('region', { name: 'Query' });
  await query.waitFor();
  expect(await query.textContent()).toMatch(/Loss a token\s*3\.404 nats\s*Perplexity\s*30\.08/);
  const list = page.getByRole('listbox', { name: 'Lowered the loss' });
  expect(await list.getByRole('option').first().textContent()).not.toMatch(/NaN|none|\?/);
  expect(await page.locator('body').textContent()).not.toContain('NaN');
  expect(await violations()).toEqual([]);
  expect(complaints).toEqual([]);
  await picture('influence-tokens-dark-420');
});

it('marks where tokens begin, each character once', async () => {
  const shown = tokensShown();
  if (shown.state !== 'shown') throw new Error('nothing is shown');
  const { result } = shown;
  const preview = {
    kind: 'text',
    text: 'The licence 许 applies',
    tokens: [
      [0, 3],
      [3, 7],
      [7, 11],
      [12, 13],
      [12, 13],
      [13, 21],
    ],
  } as const;
  const query = { ...result.influence.query, preview };
  const { page } = await open({ ...shown, result: { ...result, influence: { ...result.influence, query } } });
  const passage = page.getByRole('region', { name: /^Text of/ }).first();
  expect(await passage.textContent()).toBe(preview.text);
  expect(await passage.locator('.token').allTextContents()).toEqual(['The', ' lic', 'ence', '许', ' applies']);
});
