import * as z from 'zod/mini';
import { datasetFormats } from '../../formats/datasets';
import { keyed, optional, path, text, texts } from './schemaParts';

const label = optional('data.*.label', text());
const formats = Object.keys(datasetFormats).join(', ');
const keysMessage = 'must be a key or a list of keys';

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
      features: optional('data.*.features', z.union([text(), texts('must be keys')], keysMessage)),
    }),
    z.strictObject({
      format: keyed('data.*.format', z.literal('npy')),
      file: keyed('data.*.file', path()),
      labels: optional('data.*.labels', path()),
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
