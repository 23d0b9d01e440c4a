import type { Locator } from 'playwright-core';
import type { DataFile } from '../../src/protocol/viewApi';
import type { DataSetting } from './hostEnd';
import type { View, ViewOptions } from './page';
import { classes, image, labels } from './samples';
import { useViews } from './views';

const file: DataFile = {
  name: 't10k-images-idx3-ubyte.gz',
  run: { config: '/home/mira/fashion/whence.json', name: 'fashion-mnist', split: 'test' },
  classes,
  canAttribute: true,
};

export const base: DataSetting = {
  file,
  total: 60_000,
  labels: labels.slice(0, 100),
  // Every seventh prediction is wrong.
  predicted: labels.slice(0, 100).map((label, index) => (index % 7 === 0 ? (label + 1) % 10 : label)),
  images: Array.from({ length: 100 }, (_, index) => image(index)),
};

const { predicted: _, ...withoutPredictions } = base;
export const unused: DataSetting = {
  ...withoutPredictions,
  file: { name: file.name, classes: [], canAttribute: false },
  total: 500,
};

/** Opens the data view on a file, in a test file's own browser. */
export function useDataView(): (data?: DataSetting, options?: Partial<ViewOptions>) => Promise<View> {
  const open = useViews();
  return (data = base, options = {}) => open({ view: 'data', setting: { data }, width: 900, height: 700, ...options });
}

export function cell(view: View, index: number): Locator {
  return view.page.locator(`[role=gridcell][data-index="${index}"]`);
}

/** Index of the example that has the focus. */
export function focused(view: View): Promise<number> {
  return view.page.evaluate(() => Number(document.activeElement?.getAttribute('data-index') ?? -1));
}

export async function press(view: View, key: string): Promise<number> {
  await view.page.keyboard.press(key);
  return focused(view);
}

export async function columnsOf(view: View): Promise<number> {
  return Number(await view.page.getByRole('grid').getAttribute('aria-colcount'));
}
