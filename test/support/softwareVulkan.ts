import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { encodeModel } from '../../src/onnx/encode';
import { type CheckProcess, startCheck } from '../../src/worker/checkProcess';
import { acceptedDifference, failureReason } from '../../src/worker/providers';
import { bundle } from './bundle';
import { modelOf, perceptron } from './tinyModel';
import { randomBatch } from './tinySubject';

/** Vulkan's driver list in software, by which the WebGPU provider runs without a GPU. */
export type SoftwareVulkan =
  | { readonly found: true; readonly driver: string }
  | { readonly found: false; readonly reason: string };

/** SwiftShader lies beside every Chromium on Linux. */
const chromiums = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/usr/lib64/chromium-browser',
  '/snap/chromium/current/usr/lib/chromium-browser',
  '/opt/google/chrome',
  '/opt/chromium.org/chromium',
];
/** Where browsers for tests are kept: a folder a version, the browser in one or two more. */
const downloads = ['.cache/ms-playwright', '.cache/puppeteer/chrome'].map((path) => join(homedir(), path));
const drivers = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/**
 * Finds the first software Vulkan with which WebGPU gives the CPU's numbers on a tiny graph, tried in a process of its own. All
 * processes that this one starts from then on have it as their only Vulkan.
 * @param checker a program that answers checks
 */
export async function findSoftwareVulkan(checker: URL): Promise<SoftwareVulkan> {
  if (process.platform !== 'linux') {
    return { found: false, reason: `software Vulkan is looked for on Linux only, and this is ${process.platform}` };
  }
  const tried: string[] = [];
  for (const driver of candidates()) {
    setDriver(driver);
    const failure = await failureOf(checker);
    if (failure === undefined) return { found: true, driver };
    tried.push(`${driver} does not work: ${failure}`);
  }
  setDriver(undefined);
  const folders = [...chromiums, ...downloads].join(', ');
  const places = `SwiftShader (vk_swiftshader_icd.json) in ${folders}, lavapipe (lvp_icd*.json) in ${drivers.join(', ')}`;
  const outcome = tried.length > 0 ? tried.join('; ') : 'neither is there';
  return { found: false, reason: `looked for ${places}; ${outcome}; Debian's chromium and libvulkan1 would do` };
}

/** A program in `folder` that answers checks, as the worker does. */
export function checkerIn(folder: string): URL {
  return bundle(join(folder, 'check.mjs'), "import { serveCheck } from './src/worker/checkProcess'; serveCheck();");
}

/** A process that answers checks on the Vulkan that was found. */
export function startCheckOn(vulkan: SoftwareVulkan, checker: URL): CheckProcess {
  if (!vulkan.found) throw new Error(vulkan.reason);
  return startCheck(checker);
}

function setDriver(driver: string | undefined): void {
  for (const name of ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES']) {
    if (driver === undefined) delete process.env[name];
    else process.env[name] = driver;
  }
}

function candidates(): readonly string[] {
  const nested = downloads.flatMap(foldersIn);
  const swiftShaders = [...chromiums, ...nested, ...nested.flatMap(foldersIn)].map((folder) =>
    join(folder, 'vk_swiftshader_icd.json'),
  );
  const lavapipes = drivers.flatMap((folder) =>
    entriesOf(folder)
      .filter((file) => /^lvp_icd.*\.json$/.test(file))
      .map((file) => join(folder, file)),
  );
  return [...swiftShaders.filter((file) => existsSync(file)), ...lavapipes];
}

function foldersIn(folder: string): readonly string[] {
  return entriesOf(folder).map((entry) => join(folder, entry));
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function failureOf(checker: URL): Promise<string | undefined> {
  const trial = { model: encodeModel(modelOf(perceptron)), feeds: { x: randomBatch(perceptron, 8) } };
  const check = startCheck(checker);
  try {
    const { difference } = await check.measure('webgpu', trial, 60_000);
    return difference <= acceptedDifference ? undefined : `its numbers differ by ${difference}`;
  } catch (error) {
    const [line = ''] = failureReason(error).split('\n');
    return line;
  } finally {
    check.end();
  }
}
