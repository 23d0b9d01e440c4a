import type { GradientRules } from '../rule';
import { activation } from './activation';
import { convolution } from './convolution';
import { einsums } from './einsum';
import { elementwise } from './elementwise';
import { indexing } from './indexing';
import { linear } from './linear';
import { normalization } from './normalization';
import { pooling, portablePooling } from './pooling';
import { reduce } from './reduce';
import { resampling } from './resampling';
import { reshape } from './reshape';
import { scattering } from './scatter';
import { trigonometry } from './trigonometry';

/** Every op of ONNX's own domain that can be differentiated. What these rules emit is among them. */
export const gradientRules: GradientRules = {
  ...elementwise,
  ...activation,
  ...linear,
  ...einsums,
  ...reshape,
  ...indexing,
  ...scattering,
  ...resampling,
  ...trigonometry,
  ...reduce,
  ...normalization,
  ...convolution,
  ...pooling,
};

/** What takes the place of the above on devices that lack an output that a rule reads. */
export const portableRules: GradientRules = { ...portablePooling };
