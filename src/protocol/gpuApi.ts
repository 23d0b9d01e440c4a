/** Something that CUDA needs on this machine beside the provider's own libraries. */
export interface GpuPart {
  /** `NVIDIA driver`, `CUDA 12`, `cuDNN 9`. */
  readonly name: string;
  readonly found: boolean;
  /** Where it lies, or what is there instead, or what is missing of it. */
  readonly detail: string;
  /** How to get it, where it was not found. */
  readonly mend?: string;
}

/** What CUDA would need here, and what of it is there. */
export interface GpuReport {
  /** onnxruntime's version, whose provider libraries it has to be. */
  readonly version: string;
  /** Why CUDA cannot be had on this machine at all, whatever is installed. */
  readonly unsupported?: string;
  readonly parts: readonly GpuPart[];
  /** Where onnxruntime looks for its provider's libraries. */
  readonly folder: string;
  readonly installed: boolean;
  /** Folders of CUDA and cuDNN that the system's loader does not search by itself. */
  readonly libraryFolders: readonly string[];
}

/** A package that holds the provider's libraries, as its index describes it. */
export interface GpuDownload {
  readonly url: string;
  readonly bytes: number;
  /** Base64, where the index gives one; else each file's own checksum in the package is what is checked. */
  readonly sha512?: string;
  /** What is taken out of the package: its path there and the file's name here. */
  readonly files: readonly { readonly path: string; readonly name: string }[];
}

export interface GpuVerdict {
  readonly works: boolean;
  /** With the measured figures where something was computed. */
  readonly reason: string;
}

/** What the process for setting up a GPU answers. All but `install` change nothing; nothing but `install` downloads a package. */
export interface GpuApi {
  /** @param request `folders` to look into before all others */
  look(request: { readonly folders: readonly string[] }): Promise<GpuReport>;
  /** Asks the package index; `source` replaces the index that onnxruntime-node itself names. */
  describe(request: { readonly source?: string }): Promise<GpuDownload>;
  /** Fetches the package and puts the libraries in place, all or none. To be called with the user's consent only. */
  install(request: GpuDownload): Promise<null>;
  /** Runs a small graph on CUDA in a process of its own and compares it with the CPU. */
  verify(request: { readonly folders: readonly string[] }): Promise<GpuVerdict>;
}

/** The worker program with this argument sets up a GPU instead of serving the engine. */
export const gpuArgument = '--set-up-gpu';

/** `LD_LIBRARY_PATH` with more folders in front. */
export function libraryPath(folders: readonly string[], before: string | undefined): string {
  return [...new Set([...folders, ...(before ?? '').split(':')])].filter(Boolean).join(':');
}
