import type { Files } from '../formats/bytes';
import { encodeSafetensors, readSafetensors } from '../formats/checkpoints/safetensors';
import { readTensor } from '../formats/tensor';
import type { Tensor } from '../onnx/runtime';
import { bytesOf } from '../onnx/tensor';
import { WhenceError } from '../protocol/errors';

/** A finished stage's name: what it is, and the content hash of everything that it depends on. */
export interface StageKey {
  readonly kind: 'covariances' | 'moments' | 'basis' | 'eigenvalues' | 'losses' | 'scores';
  readonly hash: string;
}

/**
 * Finished stages on disk, one safetensors file each, in `.whence/` beside `whence.json`. A file's name is its content
 * hash, so changed inputs never meet a stale result; its payload is hashed too, so a damaged file is made again.
 */
export class Store {
  private prepared = false;

  constructor(
    private readonly files: Files,
    private readonly folder: string,
  ) {}

  async get({ kind, hash }: StageKey): Promise<ReadonlyMap<string, Tensor> | undefined> {
    const path = this.path(kind, hash);
    if (!(await this.files.exists(path))) return undefined;
    try {
      const { tensors, metadata } = await readSafetensors(await this.files.open(path));
      if (metadata.hash !== hash) return undefined;
      const values = new Map<string, Tensor>();
      for (const [name, ref] of tensors) values.set(name, await readTensor(ref));
      return metadata.payload === this.payload(values) ? values : undefined;
    } catch (error) {
      // A truncated or damaged file is no result: the stage runs again and replaces it.
      if (error instanceof WhenceError && error.code !== 'unreadable') return undefined;
      throw error;
    }
  }

  async put({ kind, hash }: StageKey, values: ReadonlyMap<string, Tensor>): Promise<void> {
    await this.prepare();
    const metadata = { kind, hash, payload: this.payload(values) };
    await this.files.write(this.path(kind, hash), encodeSafetensors(values, metadata));
  }

  /** Keeps version control from seeing the folder. */
  private async prepare(): Promise<void> {
    if (this.prepared) return;
    const ignore = this.files.join(this.folder, '.gitignore');
    if (!(await this.files.exists(ignore))) await this.files.write(ignore, [new TextEncoder().encode('*\n')]);
    this.prepared = true;
  }

  private path(kind: string, hash: string): string {
    return this.files.join(this.folder, `${kind}-${hash.slice(0, 32)}.safetensors`);
  }

  private payload(values: ReadonlyMap<string, Tensor>): string {
    const names = [...values.keys()].sort();
    return this.files.hashBytes(
      names.flatMap((name) => {
        const tensor = values.get(name)!;
        const head = JSON.stringify([name, tensor.dtype, tensor.dims]);
        return [new TextEncoder().encode(head), bytesOf(tensor)];
      }),
    );
  }
}
