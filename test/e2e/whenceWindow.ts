import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FrameLocator, Locator } from 'playwright-core';
import { expect } from 'vitest';
import type { Workbench } from '../host/workbench';

/** An entry of the Influence view as it stands there. */
export interface ShownInfluence {
  readonly name: string;
  readonly label: string;
  readonly score: number;
}

const minute = 60_000;

/** The parts of Whence in a window, by what a user calls them. */
export class WhenceWindow {
  constructor(
    readonly workbench: Workbench,
    readonly folder: string,
  ) {}

  show(): Promise<void> {
    return this.workbench.showContainer('Whence');
  }

  row(text: string | RegExp): Locator {
    return this.workbench.treeRow(text);
  }

  /** Shows the Runs view, sets the proposed run up and returns what was written to `whence.json`. */
  async setUp(): Promise<string> {
    await this.show();
    await this.row('not set up').waitFor({ timeout: minute });
    await this.clickUntil(this.row('Set Up This Workspace'), this.workbench.tab('whence.json'));
    await this.row(/step [\d,]+ · /).waitFor({ timeout: minute });
    return readFile(join(this.folder, 'whence.json'), 'utf8');
  }

  /** Clicks a row until `sign` is seen: a tree that is drawn anew, or moves down, under the pointer loses the click. */
  private async clickUntil(row: Locator, sign: Locator): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await row.click({ timeout: minute });
      try {
        return await sign.waitFor({ timeout: 20_000 });
      } catch (error) {
        if (attempt === 4) throw error;
      }
    }
  }

  /** Opens a split's file from the Runs view and returns its data editor. */
  async openSplit(name: string): Promise<FrameLocator> {
    await this.show();
    await this.row(new RegExp(`^${name}`))
      .first()
      .click();
    return this.dataEditor();
  }

  dataEditor(): Promise<FrameLocator> {
    return this.workbench.webview('main.data .cell[data-index], main.data .status.failed', minute);
  }

  /** Narrows a data editor to wrong predictions; its first cell is then the most confident of them. */
  async chooseWrongFirst(editor: FrameLocator): Promise<void> {
    await editor.locator('vscode-dropdown[aria-label="Show"]').click();
    await editor.locator('vscode-option', { hasText: 'Wrong, most confident first' }).click();
    await expect.poll(() => editor.locator('.total').textContent(), { timeout: minute }).toMatch(/wrong/);
    await editor.locator('.cell.wrong[data-position="0"]').waitFor({ timeout: minute });
  }

  /** Right-clicks a cell and asks for its attribution. Returns the example's index. */
  async attributeCell(cell: Locator): Promise<number> {
    const index = Number(await cell.getAttribute('data-index'));
    await cell.click({ button: 'right' });
    await this.workbench.pick('Attribute This Prediction');
    return index;
  }

  influence(): Promise<FrameLocator> {
    return this.workbench.webview('main.influence[data-state]', minute);
  }

  /** Waits until the Influence view is in a state. */
  async influenceIn(state: 'empty' | 'running' | 'failed' | 'shown', timeout = 4 * minute): Promise<FrameLocator> {
    const view = await this.influence();
    const wanted = view.locator(`main.influence[data-state="${state}"]`);
    const failed = view.locator('main.influence[data-state="failed"] .status.failed');
    await wanted.or(failed).first().waitFor({ timeout });
    if (state !== 'failed' && (await failed.count()) > 0) {
      throw new Error(`The Influence view failed: ${await failed.textContent()}`);
    }
    return view;
  }

  /** Makes the side bar `width` pixels wide, by its sash. */
  async widenSideBar(width: number): Promise<void> {
    const { page } = this.workbench;
    const box = await page.locator('.part.sidebar').boundingBox();
    if (!box) throw new Error('There is no side bar.');
    await page.mouse.move(box.x + box.width + 1, 450);
    await page.mouse.down();
    await page.mouse.move(box.x + width, 450, { steps: 5 });
    await page.mouse.up();
  }

  collapse(title: string): Promise<void> {
    return this.setExpanded(title, false);
  }

  expand(title: string): Promise<void> {
    return this.setExpanded(title, true);
  }

  /** Until it has stayed that way for a while: a window that loads puts its views back as they were. */
  private async setExpanded(title: string, expanded: boolean): Promise<void> {
    const header = this.workbench.page.locator('.sidebar .pane-header', { hasText: title });
    for (let settled = 0, attempt = 0; settled < 2; attempt++) {
      if (attempt === 10) throw new Error(`The view ${title} does not stay ${expanded ? 'expanded' : 'collapsed'}.`);
      const there = (await header.getAttribute('aria-expanded')) === String(expanded);
      settled = there ? settled + 1 : 0;
      if (!there) await header.click();
      await this.workbench.page.waitForTimeout(700);
    }
  }
}

export async function readList(view: FrameLocator, direction: 'towards' | 'away'): Promise<readonly ShownInfluence[]> {
  const rows = await view.locator(`.list.${direction} [role=option]`).all();
  return Promise.all(
    rows.map(async (row) => ({
      name: ((await row.getAttribute('data-key')) ?? '').replace(/^\w+:/, ''),
      label: (await row.locator('.label').textContent()) ?? '',
      score: Number((await row.locator('.score').textContent())?.replace('\u2212', '-')),
    })),
  );
}
