import type { Browser, FrameLocator, Locator, Page } from 'playwright-core';
import type { Host } from './host';

export type Theme = 'Dark Modern' | 'Light Modern' | 'Default High Contrast';

/** VS Code's window as a person sees it: what can be clicked and read in it. */
export class Workbench {
  private constructor(
    readonly page: Page,
    readonly host: Host,
  ) {}

  /** Opens a folder in a fresh window and waits until its explorer shows it. */
  static async open(browser: Browser, host: Host, folder: string, theme: Theme = 'Dark Modern'): Promise<Workbench> {
    await host.writeSettings({ 'workbench.colorTheme': theme, 'window.autoDetectColorScheme': false });
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const workbench = new Workbench(await context.newPage(), host);
    await workbench.page.goto(`${host.url}/?folder=${encodeURIComponent(folder)}`);
    await workbench.loaded();
    return workbench;
  }

  async loaded(): Promise<void> {
    await this.page.locator('.monaco-workbench[class*="vscode-theme-"]').waitFor({ timeout: 90_000 });
    await this.page.locator('.explorer-folders-view .monaco-list-row').first().waitFor({ timeout: 90_000 });
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.page.locator('.monaco-workbench[class*="vscode-theme-"]').waitFor({ timeout: 90_000 });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  activity(name: string): Locator {
    return this.page.locator(`.activitybar ${activityLabel(name)}`);
  }

  /** Shows a view container. While a window loads it puts back its last one, and a click too early would hide that. */
  async showContainer(name: string): Promise<void> {
    await this.activity(name).waitFor({ timeout: 60_000 });
    const title = this.page.locator('.sidebar > .title', { hasText: name });
    for (let attempt = 0; attempt < 5; attempt++) {
      if (
        await title.waitFor({ timeout: 1_500 }).then(
          () => true,
          () => false,
        )
      )
        return;
      await this.activity(name).click();
    }
    await title.waitFor();
  }

  /** A row of the explorer, by its name. */
  explorerRow(name: string): Locator {
    return this.page.locator(`.explorer-folders-view .monaco-list-row`).filter({
      has: this.page.locator(`.label-name`, { hasText: new RegExp(`^${literal(name)}$`) }),
    });
  }

  /** Opens a file by its path in the workspace: folder by folder, as in the explorer. */
  async openFile(path: string): Promise<void> {
    await this.showContainer('Explorer');
    const names = path.split('/');
    const last = names.pop() ?? path;
    for (const name of names) {
      const row = this.explorerRow(name);
      await row.waitFor();
      if ((await row.getAttribute('aria-expanded')) !== 'true') await row.click();
    }
    const row = this.explorerRow(last);
    await row.scrollIntoViewIfNeeded();
    await row.dblclick();
    await this.tab(last).waitFor();
  }

  tab(title: string): Locator {
    return this.page.locator('.tabs-container .tab', { hasText: title });
  }

  /** A row of a tree view of the side bar. */
  treeRow(text: string | RegExp): Locator {
    return this.page.locator('.sidebar .monaco-list-row', { hasText: text });
  }

  /** Rows of the active text editor. */
  line(text: string | RegExp): Locator {
    return this.page.locator('.editor-instance .view-line', { hasText: text });
  }

  /** Picks an entry of the open context menu. A menu ignores clicks for a moment after it opens, so it may take several. */
  async pick(label: string): Promise<void> {
    const entry = this.menuEntry(label);
    await entry.waitFor();
    for (let attempt = 0; attempt < 8; attempt++) {
      await this.page.waitForTimeout(250);
      if (!(await entry.isVisible())) return;
      await entry.click({ timeout: 2_000 }).catch(() => undefined);
    }
    if (await entry.isVisible()) throw new Error(`The menu entry ${label} does not take clicks.`);
  }

  menuEntry(label: string): Locator {
    return this.page.locator('.monaco-menu .action-item:not(.disabled) .action-menu-item', { hasText: label });
  }

  /** Runs a command by its title, through the command palette. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    const input = this.page.locator('.quick-input-widget input[type="text"]').first();
    await input.waitFor();
    await input.fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click();
  }

  /** The `index`-th entry of an open quick pick. */
  quickPick(text: string | RegExp): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text });
  }

  /** The innermost document of the webview whose content holds `marker`; asked again until there is one. */
  async webview(marker: string, timeout = 60_000): Promise<FrameLocator> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const frames = this.page.locator('iframe.webview.ready');
      for (let index = 0; index < (await frames.count()); index++) {
        const frame = frames.nth(index).contentFrame().frameLocator('iframe#active-frame');
        const shown = await frame
          .locator(marker)
          .count()
          .catch(() => 0);
        if (shown > 0) return frame;
      }
      if (Date.now() > deadline) throw new Error(`No webview shows ${marker}.`);
      await this.page.waitForTimeout(200);
    }
  }

  notification(text: string | RegExp): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
  }

  /** Squiggles of the active editor. */
  squiggles(): Locator {
    return this.page.locator('.editor-instance .squiggly-error, .editor-instance .squiggly-warning');
  }

  async screenshot(path: string): Promise<void> {
    await this.page.mouse.move(0, 0);
    await this.page.waitForTimeout(300);
    await this.page.screenshot({ path });
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function activityLabel(name: string): string {
  return `a.action-label[aria-label^="${name}"]`;
}
