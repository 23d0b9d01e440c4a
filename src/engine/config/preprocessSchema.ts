import * as z from 'zod/mini';
import { interpolations } from '../../formats/images/resample';
import { number, optional, truth } from './schemaParts';
import { tokenizerSchema } from './tokenizerSchema';

const channels = ['rgb', 'bgr', 'grey'] as const;
const layouts = ['chw', 'hwc'] as const;
const oneOf = (names: readonly string[]) => `must be one of ${names.join(', ')}`;

const sideMessage = 'must be a number of pixels, or [height, width]';
const pixels = () => z.int(sideMessage).check(z.gte(1, sideMessage), z.lte(8192, sideMessage));
const side = () => z.union([pixels(), z.tuple([pixels(), pixels()], sideMessage)], sideMessage);

const numbers = () => z.union([number(), z.array(number())], 'must be a number or a list of numbers');
const notZero = z.refine<number | number[]>(
  (value) => [value].flat().every((one) => one !== 0),
  'must not be 0: it is divided by',
);

/** `preprocess`, its keys in the order in which they act. */
export const preprocessSchema = z.strictObject(
  {
    tokenizer: optional('preprocess.tokenizer', tokenizerSchema),
    channels: optional('preprocess.channels', z.enum(channels, oneOf(channels))),
    resize: optional('preprocess.resize', side()),
    interpolation: optional('preprocess.interpolation', z.enum(interpolations, oneOf(interpolations))),
    crop: optional('preprocess.crop', side()),
    transpose: optional('preprocess.transpose', truth()),
    layout: optional('preprocess.layout', z.enum(layouts, oneOf(layouts))),
    scale: optional('preprocess.scale', number().check(notZero)),
    mean: optional('preprocess.mean', numbers()),
    std: optional('preprocess.std', numbers().check(notZero)),
    standardize: optional('preprocess.standardize', truth()),
  },
  'must be an object',
);
