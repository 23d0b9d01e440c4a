import type { InfluenceSnapshot } from '../../src/protocol/viewApi';
import type { View, ViewOptions } from './page';
import { influenceResult } from './samples';
import { useViews } from './views';

/** Opens the Influence view on a snapshot, in a file's own browser. */
export function useInfluenceView(): (snapshot: InfluenceSnapshot, options?: Partial<ViewOptions>) => Promise<View> {
  const open = useViews();
  return (snapshot, options = {}) => open({ view: 'influence', setting: { snapshot }, ...options });
}

export function shown(options: Parameters<typeof influenceResult>[0] = {}, stale = false): InfluenceSnapshot {
  return { state: 'shown', result: influenceResult(options), stale };
}

/** Sends another snapshot, as the host does. */
export async function show(view: View, snapshot: InfluenceSnapshot): Promise<void> {
  await view.page.evaluate((given) => window.hostEnd.influence?.show(given), snapshot);
}

export const failed = {
  state: 'failed',
  error: {
    code: 'unsupported-op',
    message: 'The operator Softplus has no gradient rule, so the model cannot be differentiated.',
    details: {
      file: '/home/mira/projects/fashion-mnist-classifier/out/2026-11-23-baseline/model.onnx',
      place: 'node /features/3/Softplus',
      mend: 'Export the model with a supported activation, or add a rule for Softplus.',
    },
  },
  action: { label: 'Show Log', kind: 'show-log' },
} as const satisfies InfluenceSnapshot;
