import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is wrong with the package that a server sends. */
export type Fault = 'cut short' | 'altered' | 'too long' | 'missing' | 'without a hash';

export interface PackageServer {
  /** Address of its index. */
  readonly index: string;
  /** Paths asked for, in order, with their methods. */
  readonly asked: readonly string[];
  /** Sends half of the package and then nothing, as long as it is set. */
  stalled: boolean;
  close(): Promise<void>;
}

/** An index of packages on this machine, of the kind that onnxruntime-node's metadata names, with one package. */
export async function servePackage(
  name: string,
  version: string,
  bytes: Buffer,
  fault?: Fault,
): Promise<PackageServer> {
  const asked: string[] = [];
  const file = `${name}.${version}.nupkg`.toLowerCase();
  const altered = Buffer.from(bytes);
  altered[100] = altered[100]! ^ 1;
  const hash = createHash('sha512').update(bytes).digest('base64');
  const packageOf = (answer: ServerResponse, method = 'GET') => {
    if (fault === 'missing') return answer.writeHead(404).end();
    answer.writeHead(200, { 'content-length': bytes.length + (fault === 'too long' && method === 'GET' ? 5 : 0) });
    if (method === 'HEAD') return answer.end();
    if (state.stalled) return answer.write(bytes.subarray(0, bytes.length / 2));
    if (fault === 'cut short') return answer.write(bytes.subarray(0, 100), () => answer.destroy());
    answer.write(fault === 'altered' ? altered : bytes);
    return answer.end(fault === 'too long' ? 'extra' : '');
  };
  const server = createServer((request, answer) => {
    const path = request.url ?? '';
    asked.push(`${request.method} ${path}`);
    const json = (value: object) =>
      answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (path === '/index.json') {
      json({
        resources: [
          { '@id': `${address}/flat/`, '@type': 'PackageBaseAddress/3.0.0' },
          { '@id': `${address}/registrations/`, '@type': 'RegistrationsBaseUrl' },
        ],
      });
    } else if (path.startsWith('/registrations/')) json({ catalogEntry: `${address}/catalog/entry.json` });
    else if (path === '/catalog/entry.json' && fault !== 'without a hash') {
      json({ packageHash: hash, packageHashAlgorithm: 'SHA512' });
    } else if (path.endsWith(`/${file}`)) packageOf(answer, request.method);
    else answer.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state: PackageServer = {
    index: `${address}/index.json`,
    asked,
    stalled: false,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return state;
}
