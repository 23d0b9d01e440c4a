import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startViews, type View, type ViewOptions, type ViewServer } from './page';

/**
 * A browser for the tests of one file. Pages are closed after each test; a breach of the page's security policy or an
 * exception in it is a failure of the test it comes in.
 */
export function useViews(): (options: ViewOptions) => Promise<View> {
  const opened: View[] = [];
  let views: ViewServer;

  beforeAll(async () => {
    views = await startViews();
  });

  afterEach(async () => {
    const complaints = opened.flatMap((view) => view.complaints);
    await Promise.all(opened.splice(0).map(({ page }) => page.close()));
    expect(complaints).toEqual([]);
  });

  afterAll(() => views.close());

  return async (options) => {
    const view = await views.open(options);
    opened.push(view);
    return view;
  };
}
