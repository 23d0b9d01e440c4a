import type { InfluenceResult } from '../../../src/protocol/viewApi';
import { element } from '../../element';
import { percent, significant } from '../../numbers';
import { fullPreview } from '../../preview';
import { verdict } from '../../verdict';
import { exampleName, hasLabel, isPerToken, isRegression, isWrong, labelName } from '../../vocabulary';

/** The prediction in question: the example, what it is labelled and what the model says. */
export function queryHeader(result: InfluenceResult, open: () => void): HTMLElement {
  const { influence, classes, runName } = result;
  const { query } = influence;
  const name = exampleName(query.id);
  const link = element(
    'button',
    { class: 'link', type: 'button', 'data-key': 'query', title: query.location.file },
    name,
  );
  link.addEventListener('click', open);
  const preview = fullPreview(query.preview, name);
  const facts = element(
    'div',
    { class: 'facts' },
    element('h2', {}, link, ' ', element('span', { class: 'run', title: influence.run }, runName)),
    factsOf(result, classes),
  );
  // A table or a text is as wide as the view: what it is about comes first.
  const parts = query.preview.kind === 'image' ? [preview, facts] : [facts, preview];
  return element('section', { class: `query ${query.preview.kind}`, 'aria-label': 'Query' }, ...parts);
}

function factsOf(result: InfluenceResult, classes: readonly string[]): HTMLElement {
  if (isPerToken(result.influence)) return tokenFacts(result);
  return isRegression(result.influence) ? regressionFacts(result) : classFacts(result, classes);
}

function tokenFacts({ influence: { query } }: InfluenceResult): HTMLElement {
  const { loss } = query.prediction;
  return element(
    'dl',
    {},
    element('dt', {}, 'Loss a token'),
    element('dd', {}, element('strong', {}, significant(loss, 4)), ' nats'),
    element('dt', {}, 'Perplexity'),
    element('dd', {}, significant(Math.exp(loss), 4)),
  );
}

function classFacts({ influence: { query } }: InfluenceResult, classes: readonly string[]): HTMLElement {
  const { predicted, confidence, probabilities } = query.prediction;
  const wrong = isWrong(query.label, query.prediction);
  const ofLabel = probabilities[query.label];
  return element(
    'dl',
    {},
    element('dt', {}, 'Predicted'),
    element(
      'dd',
      {},
      element('strong', {}, labelName(predicted, classes)),
      ` ${percent(confidence)} `,
      hasLabel(query.label) && verdict(wrong),
    ),
    element('dt', {}, 'Label'),
    element('dd', {}, labelName(query.label, classes), wrong && ofLabel !== undefined && ` ${percent(ofLabel)}`),
  );
}

function regressionFacts({ influence: { query } }: InfluenceResult): HTMLElement {
  const { predicted, loss } = query.prediction;
  return element(
    'dl',
    {},
    element('dt', {}, 'Predicted'),
    element('dd', {}, element('strong', {}, significant(predicted, 4))),
    element('dt', {}, 'Target'),
    element('dd', {}, significant(query.label, 4)),
    element('dt', {}, 'Loss'),
    element('dd', {}, significant(loss, 3)),
  );
}
