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
