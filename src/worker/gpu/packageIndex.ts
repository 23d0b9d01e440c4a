import { z } from 'zod/mini';
import { WhenceError } from '../../protocol/errors';
import type { GpuDownload } from '../../protocol/gpuApi';
import type { CudaPackage } from './providerPackage';

const indexSchema = z.object({ resources: z.array(z.object({ '@id': z.string(), '@type': z.string() })) });
const leafSchema = z.object({ catalogEntry: z.string() });
const entrySchema = z.object({ packageHash: z.string(), packageHashAlgorithm: z.string() });

/**
 * Where a package of a NuGet index (its protocol's version 3) is, how large it is and what its hash must be. Reads descriptions
 * only.
 * @throws WhenceError `provider-unavailable` where the index cannot be reached or does not hold the package
 */
export async function describePackage(source: CudaPackage, index = source.index): Promise<GpuDownload> {
  const { resources } = await readJson(index, indexSchema);
  const address = (type: string) => resources.find((resource) => resource['@type'].startsWith(type))?.['@id'];
  const base = address('PackageBaseAddress/');
  if (!base) throw unavailable(index, 'is not an index of packages');
  const [name, version] = [source.name.toLowerCase(), source.version.toLowerCase()];
  const url = join(base, `${name}/${version}/${name}.${version}.nupkg`);
  const bytes = await sizeOf(url);
  const registrations = address('RegistrationsBaseUrl');
  const sha512 = registrations && (await hashOf(join(registrations, `${name}/${version}.json`)));
  return { url, bytes, files: source.files, ...(sha512 ? { sha512 } : {}) };
}

async function sizeOf(url: string): Promise<number> {
  const response = await ask(url, 'HEAD');
  const bytes = Number(response.headers.get('content-length'));
  if (!(bytes > 0)) throw unavailable(url, 'does not say how large it is');
  return bytes;
}

/** Undefined where the index keeps no SHA-512 of its packages. */
async function hashOf(leaf: string): Promise<string | undefined> {
  const found = await readJson(leaf, leafSchema)
    .then(({ catalogEntry }) => readJson(catalogEntry, entrySchema))
    .catch(() => undefined);
  return found?.packageHashAlgorithm.toUpperCase() === 'SHA512' ? found.packageHash : undefined;
}

async function readJson<T extends z.ZodMiniType>(url: string, schema: T): Promise<z.infer<T>> {
  const response = await ask(url, 'GET');
  const read = schema.safeParse(await response.json().catch(() => undefined));
  if (!read.success) throw unavailable(url, 'does not answer as an index of packages does');
  return read.data;
}

async function ask(url: string, method: 'GET' | 'HEAD'): Promise<Response> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(30_000) }).catch((cause: unknown) => {
    throw unavailable(url, `cannot be reached (${reasonOf(cause)})`, cause);
  });
  if (!response.ok) throw unavailable(url, `answers ${response.status} ${response.statusText}`.trim());
  return response;
}

function join(base: string, path: string): string {
  return `${base.replace(/\/$/, '')}/${path}`;
}

/** What `fetch` fails with says "fetch failed", and why only in its cause. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

export function unavailable(url: string, what: string, cause?: unknown): WhenceError {
  return new WhenceError(
    'provider-unavailable',
    `${url} ${what}.`,
    { mend: 'Check the connection, or name a mirror of the package index.' },
    { cause },
  );
}
