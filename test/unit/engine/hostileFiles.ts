import { symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { StringStringEntryProtoSchema, TensorProto_DataLocation } from '../../../src/onnx/proto/onnx_pb';
import type { BadInput } from './badInputs';
import { edit, type Hostile, varint, weight } from './hostile';

/** Puts the first weight into a file beside the model, of so many bytes, with what the entries say of it. */
const withExternal =
  (entries: Readonly<Record<string, string>>, bytes?: number): BadInput['spoil'] =>
  async (path, run) => {
    await edit((graph) => {
      const tensor = weight(graph, 'fc1.weight');
      const all = Object.entries({ location: 'weights.bin', ...entries });
      tensor.rawData = new Uint8Array();
      tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
      tensor.externalData = all.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
    })(path, run);
    if (bytes !== undefined) await writeFile(join(dirname(path), 'weights.bin'), new Uint8Array(bytes));
  };

/** Many copies of the same few bytes, as the content of the field that `head` begins, if any. */
async function repeated(path: string, head: readonly number[], bytes: readonly number[], count: number): Promise<void> {
  const body = Buffer.alloc(bytes.length * count, Uint8Array.from(bytes));
  const length = head.length > 0 ? varint(body.length) : [];
  await writeFile(path, Buffer.concat([Uint8Array.from([...head, ...length]), body]));
}

async function linked(path: string, run: Parameters<BadInput['spoil']>[1]): Promise<void> {
  await withExternal({ offset: '0', length: '80' })(path, run);
  await symlink(process.execPath, join(dirname(path), 'weights.bin'));
}

/** Files that are no model to their end, or point where a model has no business. */
export const hostileFiles: readonly Hostile[] = [
  [
    'external data in the folder above',
    withExternal({ location: '../weights.bin' }),
    'malformed-file',
    /tensor fc1\.weight[\s\S]*\.\.\/weights\.bin/,
  ],
  [
    'external data at an absolute path',
    withExternal({ location: process.execPath }),
    'malformed-file',
    /tensor fc1\.weight[\s\S]*refers to the external data/,
  ],
  ['external data behind a link', linked, 'malformed-file', /weights\.bin[\s\S]*link out of the model's folder/],
  ['external data that are not there', withExternal({}), 'not-found', /no such file/, 'weights.bin'],
  [
    'external data beyond the end of their file',
    withExternal({ offset: '4096', length: '80' }, 4100),
    'truncated-file',
    /tensor fc1\.weight[\s\S]*ends at byte 4100[\s\S]*4176/,
    'weights.bin',
  ],
  [
    'external data of an immense offset',
    withExternal({ offset: String(2 ** 52), length: '80' }, 80),
    'truncated-file',
    /ends at byte 80/,
    'weights.bin',
  ],
  [
    'external data of an immense length',
    withExternal({ length: String(2 ** 50) }, 80),
    'malformed-file',
    /needs 80 bytes; its external data has 1125899906842624/,
  ],
  [
    'external data of an offset that is no number',
    withExternal({ offset: 'here' }),
    'malformed-file',
    /tensor fc1\.weight/,
  ],
  ['a model file of 3 GB', (path) => truncate(path, 3e9), 'malformed-file', /smaller than 2 GB/],
  ['an empty file', (path) => truncate(path, 0), 'malformed-file', /holds no graph/],
  ['a text', (path) => writeFile(path, '%PDF-1.4\n'.repeat(1000)), 'malformed-file', /byte \d+/],
  [
    'zeros behind the model',
    async (path) => {
      await truncate(path, 100);
      await truncate(path, 1_000_000);
    },
    'malformed-file',
    /byte \d+/,
  ],
  ['groups within groups', (path) => writeFile(path, Buffer.alloc(1_000_000, 0x0b)), 'malformed-file', /byte 0/],
  // Tags of ModelProto.graph, GraphProto.node: empty messages of two bytes each.
  [
    'twenty million empty nodes',
    (path) => repeated(path, [0x3a], [0x0a, 0x00], 20_000_000),
    'malformed-file',
    /more than 100000 nodes/,
  ],
  // ModelProto.opset_import.
  [
    'twenty million empty versions',
    (path) => repeated(path, [], [0x42, 0x00], 20_000_000),
    'malformed-file',
    /more than 2000000 messages/,
  ],
];
