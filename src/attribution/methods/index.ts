import type { DirectMethodName, MethodName, SegmentedMethodName } from '../../protocol/model';
import type { DirectMethod, Method } from '../method';
import { exactUnrolling } from './exactUnrolling';
import { fastSource } from './fastSource';
import { gradientCosine } from './gradientCosine';
import { gradientDot } from './gradientDot';
import { influenceFunctions } from './influenceFunctions';
import { representationSimilarity } from './representationSimilarity';
import { source } from './source';
import { sourceElementwise } from './sourceElementwise';
import { tracin } from './tracin';
import { trak } from './trak';

/** Every method there is. The pickers and the brute-force tests enumerate this table. */
export const methods: Readonly<Record<SegmentedMethodName, Method> & Record<DirectMethodName, DirectMethod>> = {
  source,
  'fast-source': fastSource,
  'source-elementwise': sourceElementwise,
  'influence-functions': influenceFunctions,
  tracin,
  trak,
  'gradient-dot': gradientDot,
  'gradient-cosine': gradientCosine,
  'representation-similarity': representationSimilarity,
  'exact-unrolling': exactUnrolling,
};

export function isSegmented(method: MethodName): method is SegmentedMethodName {
  return 'plan' in methods[method];
}
