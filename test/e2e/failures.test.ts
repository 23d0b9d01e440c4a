import { cp, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { decodeModel } from '../../src/onnx/decode';
import { encodeModel } from '../../src/onnx/encode';
import { findDescendants } from './processes';
import { useSession } from './session';
import { WhenceWindow } from './whenceWindow';

const session = useSession();

async function openSample(spoil: (folder: string) => Promise<void> = async () => undefined): Promise<WhenceWindow> {
  const folder = await session().copySample('fashion-mnist');
  const whence = new WhenceWindow(await session().open(folder), folder);
  await whence.setUp();
  await spoil(folder);
  return whence;
}

/** What a user is told who opens the test images and attributes the first: in their editor, else in the Influence view. */
async function messageOf(whence: WhenceWindow): Promise<string> {
  const editor = await whence.openSplit('test');
  const broken = editor.locator('.status.failed');
  if ((await broken.count()) > 0) return read(broken);
  await whence.attributeCell(editor.locator('.cell[data-position="0"]'));
  const view = await whence.influenceIn('failed');
  return read(view.locator('.status.failed'));
}

/** Paths are shown with places to break lines at, which nobody sees. */
async function read(status: Locator): Promise<string> {
  return ((await status.textContent()) ?? '').replaceAll('\u200b', '');
}

test('a worker killed from outside leaves a message with Restart, and works again afterwards', async () => {
  const whence = await openSample();
  const editor = await whence.openSplit('test');
  await whence.attributeCell(editor.locator('.cell[data-position="0"]'));
  await whence.influenceIn('running');
  const workers = await findDescendants(session().host.pid, 'worker.mjs');
  expect(workers).toHaveLength(1);
  for (const pid of workers) process.kill(pid, 'SIGKILL');

  const view = await whence.influenceIn('failed', 20_000);
  expect(await view.locator('.status.failed').textContent()).toMatch(/SIGKILL/);
  await whence.workbench.notification('The Whence engine stopped').waitFor();
  await view.locator('.status.failed vscode-button', { hasText: 'Restart' }).click();
  await view.locator('main.influence[data-state="shown"]').waitFor({ timeout: 240_000 });
});

test('a cancelled attribution stops at once, and what it had finished is used by the next', async () => {
  const whence = await openSample();
  const editor = await whence.openSplit('test');
  await whence.attributeCell(editor.locator('.cell[data-position="0"]'));
  const view = await whence.influenceIn('running');
  await view.locator('.status.running vscode-button', { hasText: 'Cancel' }).click();
  await view.locator('main.influence[data-state="empty"]').waitFor({ timeout: 5_000 });
  await whence.attributeCell(editor.locator('.cell[data-position="0"]'));
  await whence.influenceIn('shown');
});

test('a truncated checkpoint is named', async () => {
  const whence = await openSample((folder) => truncate(join(folder, 'checkpoints', 'step-527.safetensors'), 300_000));
  const message = await messageOf(whence);
  expect(message).toContain('step-527.safetensors');
  expect(message).toMatch(/cut short|truncated|ends/i);
});

test('an operator without a gradient rule is named with its node', async () => {
  const whence = await openSample(async (folder) => {
    const file = join(folder, 'model.onnx');
    const model = decodeModel(await readFile(file), file);
    // Binarizer runs on the same input; nobody trains through it.
    const step = { op: 'Binarizer', domain: 'ai.onnx.ml' };
    const nodes = model.graph.nodes.map((node) => (node.op === 'Relu' ? { ...node, ...step } : node));
    const opsets = new Map([...model.opsets, [step.domain, 3] as const]);
    await writeFile(file, encodeModel({ ...model, opsets, graph: { ...model.graph, nodes } }));
  });
  const message = await messageOf(whence);
  expect(message).toContain('Binarizer');
  expect(message).toContain('model.onnx');
});

test('checkpoints of another model are refused with both names', async () => {
  const whence = await openSample(async (folder) => {
    const [foreign] = (await readdir(resolve('sample/breast-cancer/checkpoints'))).sort();
    for (const file of await readdir(join(folder, 'checkpoints'))) {
      await cp(resolve('sample/breast-cancer/checkpoints', foreign ?? ''), join(folder, 'checkpoints', file));
    }
  });
  const message = await messageOf(whence);
  expect(message).toMatch(/checkpoint|weight|tensor/i);
  expect(message).toContain('safetensors');
});
