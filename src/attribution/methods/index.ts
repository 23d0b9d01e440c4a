import type { MethodName } from '../../protocol/model';
import type { Method } from '../method';
import { gradientDot } from './gradientDot';
import { influenceFunctions } from './influenceFunctions';
import { source } from './source';
import { tracin } from './tracin';

/** Every method there is. The pickers and the brute-force tests enumerate this table. */
export const methods: Readonly<Record<MethodName, Method>> = {
  source,
  'influence-functions': influenceFunctions,
  tracin,
  'gradient-dot': gradientDot,
};
