import type { HostLink } from '../port';
import { startDataGrid } from './dataGrid';
import { startInfluence } from './influence';

/** Every view by the `data-view` of its page's body. */
export const views: Readonly<Record<string, (root: HTMLElement, link: HostLink) => void>> = {
  influence: startInfluence,
  data: startDataGrid,
};
