import * as z from 'zod/mini';
import { keyed, optional, path, text, truth } from './schemaParts';

/** `preprocess.tokenizer` */
export const tokenizerSchema = z.strictObject(
  {
    file: keyed('preprocess.tokenizer.file', path()),
    maxLength: optional(
      'preprocess.tokenizer.maxLength',
      z.int('must be a whole number').check(z.gte(1, 'must be at least 1')),
    ),
    truncation: optional('preprocess.tokenizer.truncation', z.enum(['right', 'left'], 'must be "right" or "left"')),
    padding: optional('preprocess.tokenizer.padding', z.enum(['longest', 'max'], 'must be "longest" or "max"')),
    addSpecialTokens: optional('preprocess.tokenizer.addSpecialTokens', truth()),
    endToken: optional('preprocess.tokenizer.endToken', text()),
  },
  'must be an object',
);
