import type { GradientRules } from '../rule';
import { activation } from './activation';
import { convolution } from './convolution';
import { elementwise } from './elementwise';
import { linear } from './linear';
import { normalization } from './normalization';
import { pooling } from './pooling';
import { reduce } from './reduce';
import { reshape } from './reshape';

/** Every op of ONNX's own domain that can be differentiated. What these rules emit is among them. */
export const gradientRules: GradientRules = {
  ...elementwise,
  ...activation,
  ...linear,
  ...reshape,
  ...reduce,
  ...normalization,
  ...convolution,
  ...pooling,
};
