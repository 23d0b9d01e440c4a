import type { RemoteApi } from '../../protocol/connection';
import { WhenceError } from '../../protocol/errors';
import { type GpuApi, type GpuDownload, type GpuReport, libraryPath } from '../../protocol/gpuApi';
import { agreed } from '../agreed';
import type { TerminalSession } from '../session';
import { table } from '../table';

export interface SetupGpuOptions {
  readonly yes?: boolean;
  readonly source?: string;
  readonly cuda?: readonly string[];
}

/** Says what CUDA needs and what of it is there, downloads what onnxruntime lacks once the user has agreed, and tries it. */
export async function setupGpu(
  session: TerminalSession,
  gpu: RemoteApi<GpuApi>,
  { yes = false, source, cuda: folders = [] }: SetupGpuOptions,
): Promise<boolean> {
  const report = await gpu.look({ folders }, session.call);
  if (report.unsupported) throw new WhenceError('provider-unavailable', report.unsupported);
  const rows = report.parts.map(({ name, found, detail }) => [name, found ? 'found' : 'missing', detail]);
  const own = [`onnxruntime ${report.version}'s libraries`, report.installed ? 'found' : 'missing', report.folder];
  session.print(table([{ title: 'part' }, { title: '' }, { title: 'what' }], [...rows, own]));
  const missing = report.parts.filter(({ found }) => !found);
  for (const { name, mend } of missing) session.say(`${name}: ${mend ?? ''}`);
  if (missing.length > 0) {
    session.say('Nothing is downloaded before these are there. If they are, name their folders: --cuda DIR ...');
    return false;
  }
  if (!report.installed) {
    const download = await gpu.describe(source ? { source } : {}, session.call);
    for (const line of downloadLines(download, report)) session.say(line);
    if (!yes && !(await agreed('Download?', 'download'))) {
      session.say('Nothing was downloaded.');
      return false;
    }
    await gpu.install(download, session.call);
  }
  const { works, reason } = await gpu.verify({ folders: report.libraryFolders }, session.call);
  session.print(works ? `CUDA works: ${reason}` : `CUDA does not work: ${reason}`);
  if (works && report.libraryFolders.length > 0) {
    session.say("The system's loader has to find CUDA's libraries. Put this into your shell's profile:");
    session.say(`export LD_LIBRARY_PATH=${libraryPath(report.libraryFolders, '$LD_LIBRARY_PATH')}`);
  }
  return works;
}

function downloadLines({ url, bytes, sha512, files }: GpuDownload, { folder }: GpuReport): readonly string[] {
  return [
    `To be downloaded: ${(bytes / 1e6).toFixed(0)} MB from ${url}`,
    `  checked by ${sha512 ? 'its SHA-512 in the index' : "its size and its files' checksums"}`,
    `  ${files.map(({ name }) => name).join(', ')} go to ${folder}`,
    'Nothing of yours is sent.',
  ];
}
