import * as z from 'zod/mini';
import { optionalSites } from '../../curvature/site';
import type { OptimizerKind } from '../../formats/trainingState';
import { preprocessSchema } from './preprocessSchema';
import { retrainSchema } from './retrainConfig';
import { keyed, number, optional, path, text, texts, truth } from './schemaParts';
import { splitSchema } from './splitSchema';

const sitesMessage = `must be one of ${optionalSites.join(', ')}`;
const segmentsMessage = 'must be a whole number from 1, or a list of rising steps';

const lossNames = ['cross-entropy', 'next-token', 'binary-cross-entropy', 'squared-error', 'absolute-error'] as const;
const lossMessage = `must be one of ${lossNames.join(', ')}, or an object with such a "kind" or "custom"`;
const fraction = 'must be from 0 to below 1';
const optimizerKinds = ['sgd', 'adam', 'adamw'] as const satisfies readonly OptimizerKind[];
const notNegative = () => number().check(z.gte(0, 'must not be negative'));
const momentum = () => number().check(z.gte(0, fraction), z.lt(1, fraction));

const lossSchema = z.strictObject({
  kind: keyed('loss.kind', z.enum([...lossNames, 'custom'], lossMessage)),
  labelSmoothing: optional('loss.labelSmoothing', number().check(z.gte(0, fraction), z.lt(1, fraction))),
  classWeights: optional(
    'loss.classWeights',
    z.array(number().check(z.gte(0, 'must not be negative')), 'must be a list of numbers').check(z.minLength(2)),
  ),
  ignoreIndex: optional('loss.ignoreIndex', z.int('must be a whole number')),
  model: optional('loss.model', path()),
});

/** Optimizer and loss of the run, or of one of its stages. */
const optimizerSchema = z.strictObject(
  {
    kind: keyed('optimizer.kind', z.enum(optimizerKinds, 'must be "sgd", "adam" or "adamw"')),
    learningRate: optional('optimizer.learningRate', number().check(z.gt(0, 'must be above 0'))),
    momentum: optional('optimizer.momentum', momentum()),
    nesterov: optional('optimizer.nesterov', truth()),
    weightDecay: optional('optimizer.weightDecay', notNegative()),
    betas: optional('optimizer.betas', z.tuple([momentum(), momentum()], 'must be two numbers')),
    epsilon: optional('optimizer.epsilon', notNegative()),
    batchSize: optional('optimizer.batchSize', z.int('must be a whole number').check(z.gte(1))),
    groups: optional(
      'optimizer.groups',
      z.array(
        z.strictObject({
          parameters: keyed('optimizer.groups.parameters', texts('must be a list of names').check(z.minLength(1))),
          learningRateScale: optional('optimizer.groups.learningRateScale', notNegative()),
          weightDecay: optional('optimizer.groups.weightDecay', notNegative()),
        }),
        'must be a list of groups',
      ),
    ),
  },
  'must be an object',
);

const anyLossSchema = z.union([z.enum(lossNames, lossMessage), lossSchema], lossMessage);
const risingStages = 'must end at rising steps';

const stagesSchema = z
  .array(
    z.strictObject({
      name: optional('stages.name', text()),
      until: keyed('stages.until', z.int('must be a step').check(z.gte(1, 'must be a step from 1'))),
      train: optional('stages.train', text()),
      loss: optional('loss', anyLossSchema),
      optimizer: optional('optimizer', optimizerSchema),
      log: optional('log', path()),
    }),
    'must be a list of stages',
  )
  .check(
    z.minLength(1, 'must have at least one stage'),
    z.refine((all) => all.every(({ until }, index) => index === 0 || until > all[index - 1]!.until), risingStages),
  );

/** The one definition of `whence.json`; messages are the ends of sentences that begin with the key. */
export const runConfigSchema = z.strictObject(
  {
    $schema: optional('$schema', text()),
    name: optional('name', text()),
    model: keyed('model', path()),
    checkpoints: keyed(
      'checkpoints',
      z.union(
        [
          path().check(z.refine((value) => value.split('*').length <= 2, 'must have only one *')),
          z.array(path()).check(z.minLength(1, 'must name at least one file')),
        ],
        'must be a path with one *, or a list of paths',
      ),
    ),
    log: optional('log', path()),
    data: keyed('data', z.record(z.string(), keyed('data.*', splitSchema), 'must be an object with the splits')),
    classes: optional('classes', texts('must be a list of names')),
    preprocess: optional('preprocess', preprocessSchema),
    inputs: optional('inputs', z.record(z.string(), keyed('inputs.*', text()), 'must be an object of names')),
    loss: optional('loss', anyLossSchema),
    optimizer: keyed('optimizer', optimizerSchema),
    stages: optional('stages', stagesSchema),
    sites: optional(
      'sites',
      z.array(z.enum(optionalSites, sitesMessage), `must be a list: ${optionalSites.join(', ')}`),
    ),
    segments: optional(
      'segments',
      z.union(
        [
          z.int().check(z.gte(1, segmentsMessage)),
          z.array(z.int().check(z.gte(1, segmentsMessage)), segmentsMessage).check(
            z.minLength(1, segmentsMessage),
            z.refine((steps) => steps.every((step, index) => index === 0 || step > steps[index - 1]!), segmentsMessage),
          ),
        ],
        segmentsMessage,
      ),
    ),
    fisher: optional('fisher', z.enum(['exact', 'sampled', 'empirical'], 'must be "exact", "sampled" or "empirical"')),
    seed: optional('seed', z.int('must be a whole number').check(z.gte(0, 'must not be negative'))),
    device: optional('device', text()),
    memory: optional('memory', z.int('must be a whole number of megabytes').check(z.gte(512, 'must be at least 512'))),
    trak: optional(
      'trak',
      z.strictObject(
        {
          dimension: optional('trak.dimension', z.int('must be a whole number').check(z.gte(1, 'must be at least 1'))),
          damping: optional('trak.damping', notNegative()),
        },
        'must be an object',
      ),
    ),
    unrolling: optional(
      'unrolling',
      z.strictObject(
        { batches: keyed('unrolling.batches', path()), initial: optional('unrolling.initial', path()) },
        'must be an object',
      ),
    ),
    queryRank: optional('queryRank', z.int('must be a whole number').check(z.gte(1, 'must be at least 1'))),
    retrain: optional('retrain', retrainSchema),
  },
  'must be an object',
);

/** The same definition as a JSON schema of draft 7: the content of `media/whence.schema.json`. */
export function runConfigJsonSchema(): object {
  return {
    title: 'A training run for Whence',
    ...z.toJSONSchema(runConfigSchema, { target: 'draft-7' }),
    allowTrailingCommas: true,
  };
}
