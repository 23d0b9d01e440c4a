import * as z from 'zod/mini';
import { datasetFormats } from '../../formats/datasets';
import { keyed, optional, path, text, texts, truth } from './schemaParts';

const label = optional('data.*.label', text());
const formats = Object.keys(datasetFormats).join(', ');
const textExamples = ['lines', 'blocks', 'blocks-of-lines'] as const;
const keysMessage = 'must be a key or a list of keys';
const pathsMessage = 'must be a path or a list of paths';
const paths = z.union([path(), z.array(path(), pathsMessage).check(z.minLength(1, 'must not be empty'))], pathsMessage);
const features = optional('data.*.features', z.union([text(), texts('must be keys')], keysMessage));
const table = { file: keyed('data.*.file', paths), label, features };

/** One split of `data`. */
export const splitSchema = z.discriminatedUnion(
  'format',
  [
    z.strictObject({
      format: keyed('data.*.format', z.literal('idx')),
      images: keyed('data.*.images', path()),
      labels: optional('data.*.labels', path()),
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('csv')),
      file: keyed('data.*.file', path()),
      label,
      features: optional('data.*.features', texts('must be a list of column names')),
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('jsonl')),
      file: keyed('data.*.file', path()),
      label,
      features,
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('text')),
      file: keyed('data.*.file', path()),
      examples: optional('data.*.examples', z.enum(textExamples, `must be one of ${textExamples.join(', ')}`)),
      blockLength: optional(
        'data.*.blockLength',
        z.int('must be a whole number').check(z.gte(1, 'must be at least 1')),
      ),
      lineBreaks: optional('data.*.lineBreaks', truth()),
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('npy')),
      file: keyed('data.*.file', path()),
      labels: optional('data.*.labels', path()),
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('npz')),
      file: keyed('data.*.file', path()),
      features: optional('data.*.features', text()),
      label,
    }),
    z.strictObject({ format: keyed('data.*.format', z.literal('parquet')), ...table }),
    z.strictObject({ format: keyed('data.*.format', z.literal('arrow')), ...table }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('cifar')),
      file: keyed('data.*.file', paths),
      label: optional('data.*.label', z.enum(['fine', 'coarse'], 'must be "fine" or "coarse"')),
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('images')),
      folder: keyed('data.*.folder', path()),
      labels: optional('data.*.labels', path()),
      label,
    }),
  ],
  `must be one of ${formats}`,
);
