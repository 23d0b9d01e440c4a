import type {
  ExampleId,
  Influence,
  Label,
  MeasurementKind,
  MethodName,
  Phase,
  Prediction,
} from '../src/protocol/model';
import type { InfluenceResult } from '../src/protocol/viewApi';
import { significant } from './numbers';
import type { DropdownChoice } from './ui';

/** The words that the views use for the engine's terms. */

export const methods: readonly DropdownChoice<MethodName>[] = [
  { value: 'source', label: 'SOURCE' },
  { value: 'influence-functions', label: 'Influence functions' },
  { value: 'tracin', label: 'TracIn' },
  { value: 'trak', label: 'TRAK' },
  { value: 'gradient-dot', label: 'Gradient dot product' },
  { value: 'gradient-cosine', label: 'Gradient cosine' },
  { value: 'representation-similarity', label: 'Representation similarity' },
  { value: 'fast-source', label: 'FAST-SOURCE' },
  { value: 'source-elementwise', label: "SOURCE, the paper's form for Adam" },
  { value: 'exact-unrolling', label: 'Exact unrolling' },
];

export const phases: Readonly<Record<Phase, string>> = {
  reading: 'Reading files',
  checking: 'Checking checkpoints',
  gradients: 'Computing gradients',
  curvature: 'Measuring curvature',
  eigenvectors: 'Finding eigenvectors',
  eigenvalues: 'Fitting eigenvalues',
  scoring: 'Scoring training examples',
  storing: 'Storing results',
  retraining: 'Training anew',
};

/** Runs with one output number and no classes. */
export function isRegression(influence: Influence): boolean {
  return influence.query.prediction.probabilities.length === 0;
}

/** Runs in which every token of an example has a label of its own: there is no single prediction. */
export function isPerToken({ query }: Influence): boolean {
  return !Number.isFinite(query.prediction.predicted);
}

/** Files without labels have NaN for each, which VS Code's pipe turns into null on its way to a page. */
export function hasLabel(label: Label): boolean {
  return Number.isFinite(label);
}

/** A class's name, or its index where it has none; a number for regressions. */
export function labelName(label: Label, classes: readonly string[]): string {
  if (!hasLabel(label)) return 'none';
  return classes[label] ?? (Number.isInteger(label) ? String(label) : significant(label, 4));
}

/** A prediction can be wrong only where there is a label to compare it with. */
export function isWrong(label: Label, { predicted }: Prediction): boolean {
  return hasLabel(label) && predicted !== label;
}

export function exampleName({ split, index }: ExampleId): string {
  return `${split} #${index}`;
}

export function measurementChoices(result: InfluenceResult): readonly DropdownChoice<MeasurementKind>[] {
  if (isPerToken(result.influence)) {
    return [
      { value: 'loss', label: 'Loss a token' },
      { value: 'margin', label: 'Margin a token' },
    ];
  }
  if (isRegression(result.influence)) {
    return [
      { value: 'loss', label: 'Loss' },
      { value: 'logit', label: 'Output' },
    ];
  }
  return [
    { value: 'margin', label: 'Margin' },
    { value: 'loss', label: 'Loss' },
    { value: 'logit', label: 'One logit' },
  ];
}

export interface Directions {
  readonly towards: string;
  readonly away: string;
  /** For the middle of a sentence: "61 % of the push towards Shirt". */
  readonly towardsPhrase: string;
  readonly awayPhrase: string;
}

/** What a positive and a negative score did to the measurement. */
export function directions({ influence, classes }: InfluenceResult): Directions {
  if (influence.measurement.kind === 'loss') {
    return {
      towards: 'Lowered the loss',
      away: 'Raised the loss',
      towardsPhrase: 'what lowered the loss',
      awayPhrase: 'what raised the loss',
    };
  }
  if (isPerToken(influence)) {
    return {
      towards: 'Raised the margin',
      away: 'Lowered the margin',
      towardsPhrase: 'what raised the margin',
      awayPhrase: 'what lowered the margin',
    };
  }
  if (isRegression(influence)) {
    return {
      towards: 'Pushed the output up',
      away: 'Pushed the output down',
      towardsPhrase: 'the push up',
      awayPhrase: 'the push down',
    };
  }
  const target = labelName(influence.measurement.target, classes);
  return {
    towards: `Pushed towards ${target}`,
    away: `Pushed away from ${target}`,
    towardsPhrase: `the push towards ${target}`,
    awayPhrase: `the push away from ${target}`,
  };
}

/** What scores mean that are no predicted changes. */
const unitless: Partial<Readonly<Record<MethodName, string>>> = {
  'gradient-dot':
    'A score is the product of two gradients: above 0 where both pull the same way. It ranks, and has no unit.',
  'gradient-cosine':
    'A score is the cosine of two gradients: 1 where both pull the same way, \u22121 where they pull apart.',
  'representation-similarity':
    'A score is a cosine: 1 where both look the same to the last layer, whatever their labels.',
};

/** One line on what a score means, units included. */
export function measurementMeaning({ influence, classes }: InfluenceResult): string {
  const own = unitless[influence.method];
  if (own) return own;
  const target = labelName(influence.measurement.target, classes);
  switch (influence.measurement.kind) {
    case 'loss':
      return isRegression(influence)
        ? 'A score says by how much training on that example lowered (+) or raised (\u2212) the loss here, as predicted.'
        : `A score says by how much training on that example lowered (+) or raised (\u2212) the loss for ${target} here, in nats, as predicted.`;
    case 'margin':
      if (isPerToken(influence)) {
        return "A score says by how much training on that example raised (+) or lowered (\u2212) the tokens' mean margin over all other words, in logits, as predicted.";
      }
      return `A score says by how much training on that example raised (+) or lowered (\u2212) the margin of ${target} over all other classes, in logits, as predicted.`;
    case 'logit':
      return isRegression(influence)
        ? 'A score says by how much training on that example raised (+) or lowered (\u2212) the output, as predicted.'
        : `A score says by how much training on that example raised (+) or lowered (\u2212) the logit of ${target}, as predicted.`;
  }
}

export function methodMeaning({ influence }: InfluenceResult): string {
  switch (influence.method) {
    case 'source':
      return `SOURCE follows training itself, in ${influence.segments.length} ${influence.segments.length === 1 ? 'segment' : 'segments'}.`;
    case 'fast-source':
      return `FAST-SOURCE follows training with one look at each of ${influence.segments.length} ${influence.segments.length === 1 ? 'segment' : 'segments'}, at its mean weights.`;
    case 'source-elementwise':
      return "The paper's form for Adam treats every weight by itself; it is here to be compared with SOURCE.";
    case 'influence-functions':
      return 'Influence functions look at the last checkpoint alone.';
    case 'tracin':
      return 'TracIn adds up gradient products over the checkpoints, without curvature.';
    case 'trak':
      return 'TRAK solves the model as a linear one in randomly projected gradients, averaged over the checkpoints.';
    case 'exact-unrolling':
      return 'Exact unrolling differentiates every step of training, replayed: for tiny networks whose batches are known.';
    case 'gradient-dot':
      return 'The gradient dot product is of the last checkpoint alone, without curvature or scale.';
    case 'gradient-cosine':
      return 'The cosine of two gradients at the last checkpoint, from \u22121 to 1: a direction, not an amount.';
    case 'representation-similarity':
      return 'How alike two examples look to the last layer, from \u22121 to 1: a baseline that knows neither labels nor training.';
  }
}

/** What truncating queries to a rank cost; nothing where they are whole. */
export function truncationMeaning({ influence: { truncation } }: InfluenceResult): string {
  if (!truncation) return '';
  const share = (100 * truncation.relativeError).toPrecision(2);
  return `Queries are cut to rank ${truncation.rank}, which leaves out ${share} % of their norm.`;
}
