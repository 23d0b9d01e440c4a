import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Files } from '../../../../src/formats/bytes';
import { openCheckpoint, recogniseCheckpoint } from '../../../../src/formats/checkpoints';
import { readTrainingState } from '../../../../src/formats/checkpoints/readTrainingState';
import { WhenceError } from '../../../../src/protocol/errors';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf, sourceOf } from '../files';
import { checkpointFixtures } from './fixtures';

const files = nodeFiles();
const real = (name: string) => new Uint8Array(readFileSync(join(checkpointFixtures, name)));

describe('files that are refused', () => {
  test.each([
    ['harmful.pt', 'unsupported-format', 'calls os.system'],
    ['harmful-stream.pt', 'unsupported-format', 'calls os.system'],
    ['complex.pt', 'unsupported-dtype', 'freqs has the type torch.ComplexFloatStorage'],
    ['float8.pt', 'unsupported-dtype', 'weight has the type torch.float8_e4m3fn'],
    ['quantized.pt', 'unsupported-format', 'weight is quantized'],
    ['sparse.pt', 'unsupported-format', 'weight is sparse'],
    ['optimizer.pt', 'unsupported-format', "it is an optimizer's state"],
    ['dataset.pt', 'unsupported-format', 'it is a dict of images, labels'],
    ['tuple.pt', 'unsupported-format', 'it is a list or tuple of 2, tensors among them'],
    ['tensor.pt', 'unsupported-format', 'it is a single tensor'],
    ['object.pt', 'unsupported-format', 'it is an object of torch.utils.data.dataset.TensorDataset'],
    ['arrays.npz', 'unsupported-format', 'no checkpoint'],
  ])('%s: %s, %s', async (name, code, words) => {
    const path = join(checkpointFixtures, 'refused', name);
    const error = await failureOf(openCheckpoint(await files.open(path), files));
    expect(error).toMatchObject({ code, details: { file: path } });
    expect(error.message).toContain(words);
    expect(error.details.mend).toBeTruthy();
    expect(existsSync('harmed')).toBe(false);
  });
});

describe('archives that claim too much', () => {
  const archive = real('state-dict.pt');
  // Torch writes zip64's end of directory always, before its locator and the plain end.
  const end = archive.length - 22;
  const wideEnd = end - 76;
  const changed = (change: (view: DataView) => void) => {
    const copy = archive.slice();
    change(new DataView(copy.buffer));
    return sourceOf(copy, '/run/step-5.pt');
  };
  const directory = new DataView(archive.buffer).getUint32(end + 16, true);

  test.each([
    ['a directory of 2^60 bytes', changed((view) => view.setUint32(wideEnd + 44, 2 ** 28, true))],
    ['a directory beyond the end', changed((view) => view.setUint32(wideEnd + 48, 0xfffffff0, true))],
    ['2^60 entries', changed((view) => view.setUint32(wideEnd + 36, 2 ** 28, true))],
    ['an end of directory elsewhere', changed((view) => view.setUint32(end - 12, 2 ** 28, true))],
    ['an entry of 4 GB', changed((view) => setBoth(view, directory, 0xfffffff0))],
    ['an entry of 2^60 bytes', wide(archive, 2 ** 28)],
    ['an encrypted entry', changed((view) => view.setUint16(directory + 8, 1, true))],
    ['a compressed entry', changed((view) => view.setUint16(directory + 10, 8, true))],
    ['an entry without a header', changed((view) => view.setUint32(directory + 42, 5, true))],
  ])('%s', async (_, source) => {
    const error = await failureOf(openCheckpoint(source));
    expect(['malformed-file', 'unsupported-format']).toContain(error.code);
    expect(error.details).toMatchObject({ file: '/run/step-5.pt', mend: expect.any(String) });
    expect(error.details.place).toBeTruthy();
  });

  test('a zip64 archive is read like any other', async () => {
    const { tensors } = await openCheckpoint(wide(archive, 0));
    expect([...tensors.keys()]).toEqual([...(await openCheckpoint(sourceOf(archive))).tensors.keys()]);
  });
});

function setBoth(view: DataView, entry: number, size: number): void {
  view.setUint32(entry + 20, size, true);
  view.setUint32(entry + 24, size, true);
}

/** The archive with a zip64 directory; its first entry's sizes in 64 bits, their upper half as given. */
function wide(archive: Uint8Array, upper: number) {
  const view = new DataView(archive.buffer);
  const end = archive.length - 22;
  const [length, offset] = [view.getUint32(end + 12, true), view.getUint32(end + 16, true)];
  const count = view.getUint16(end + 10, true);
  const listed = archive.slice(offset, offset + length);
  const entry = new DataView(listed.buffer);
  const nameEnd = 46 + entry.getUint16(28, true);
  const extra = new DataView(new ArrayBuffer(20));
  extra.setUint16(0, 1, true);
  extra.setUint16(2, 16, true);
  for (const at of [4, 12]) {
    extra.setUint32(at, entry.getUint32(24, true), true);
    extra.setUint32(at + 4, upper, true);
  }
  setBoth(entry, 0, 0xffffffff);
  entry.setUint16(30, entry.getUint16(30, true) + 20, true);
  const tail = new DataView(new ArrayBuffer(56 + 20 + 22));
  tail.setUint32(0, 0x06064b50, true);
  tail.setUint32(32, count, true);
  tail.setUint32(40, length + 20, true);
  tail.setUint32(48, offset, true);
  tail.setUint32(56, 0x07064b50, true);
  tail.setUint32(64, offset + length + 20, true);
  tail.setUint32(76, 0x06054b50, true);
  for (const at of [84, 86]) tail.setUint16(at, 0xffff, true);
  for (const at of [88, 92]) tail.setUint32(at, 0xffffffff, true);
  const parts = [archive.slice(0, offset), listed.slice(0, nameEnd), extra, listed.slice(nameEnd), tail];
  const bytes = parts.flatMap((part) => [...(part instanceof DataView ? new Uint8Array(part.buffer) : part)]);
  return sourceOf(bytes, '/run/step-5.pt');
}

describe('pickles that claim too much', () => {
  const text = (value: string) => `X${String.fromCharCode(value.length, 0, 0, 0)}${value}`;
  const tensor = (storage: string, rest: string) =>
    `ctorch._utils\n_rebuild_tensor_v2\n((${text('storage')}ctorch\nFloatStorage\n${text(storage)}${text('cpu')}K\x04tQ${rest}NNtR`;
  const stream = (pickle: string, after = '') => {
    const magic = '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.';
    const content = `${magic}\x80\x02${pickle}.\x80\x02](${text('0')}e.${after}`;
    return sourceOf(
      [...content].map((one) => one.charCodeAt(0)),
      '/run/old.pt',
    );
  };
  const four = `\x04\0\0\0\0\0\0\0${'\0\0\x80?'.repeat(4)}`;
  const dict = (value: string) => `}${text('w')}${value}s`;
  const wideNumber = '\x8a\x07\0\0\0\0\0\0\x10';

  test('a whole one is read', async () => {
    const { tensors } = await openCheckpoint(stream(dict(tensor('0', 'K\0(K\x02K\x02t(K\x02K\x01t')), four));
    expect(tensors.get('w')).toMatchObject({ dims: [2, 2], length: 16 });
  });

  test.each([
    ['a shape of 2^52', tensor('0', `K\0(${wideNumber}t(K\x01t`), four],
    ['a shape of 2^52 that repeats one element', tensor('0', `K\0(${wideNumber}t(K\0t`), four],
    ['a stride of 2^52', tensor('0', `K\0(K\x02t(${wideNumber}t`), four],
    ['an offset of 2^52', tensor('0', `${wideNumber}(K\x02t(K\x01t`), four],
    ['a negative offset', tensor('0', 'J\xff\xff\xff\xff(K\x02t(K\x01t'), four],
    ['a negative stride', tensor('0', 'K\0(K\x02t(J\xff\xff\xff\xfft'), four],
    ['shape and strides of different length', tensor('0', 'K\0(K\x02t(K\x02K\x01t'), four],
    ['a storage that is not there', tensor('7', 'K\0(K\x02t(K\x01t'), four],
    ['a storage of 2^60 elements', tensor('0', 'K\0(K\x02t(K\x01t'), '\0\0\0\0\0\0\0\x10'],
    ['a storage cut off', tensor('0', 'K\0(K\x02t(K\x01t'), four.slice(0, 15)],
  ])('%s', async (_, value, after) => {
    const error = await failureOf(openCheckpoint(stream(dict(value), after)));
    expect(['malformed-file', 'truncated-file']).toContain(error.code);
    expect(error.details).toMatchObject({ file: '/run/old.pt', place: expect.any(String), mend: expect.any(String) });
  });

  test('dicts that hold the next one many times over are not walked to their end', async () => {
    // 40 levels of ten keys that all hold one dict: 10^40 paths.
    const leaf = `${dict(tensor('0', 'K\0(K\x02t(K\x01t'))}q\x00`;
    const level = (index: number) =>
      `}(${Array.from({ length: 10 }, (_, key) => `${text(`k${key}`)}h${String.fromCharCode(index)}`).join('')}uq${String.fromCharCode(index + 1)}`;
    const levels = Array.from({ length: 40 }, (_, index) => `0${level(index)}`).join('');
    for (const root of [`${leaf}${levels}`, `${leaf}${levels}0}${text('model')}h\x28s`]) {
      const error = await failureOf(openCheckpoint(stream(root, four)));
      expect(error.details.file).toBe('/run/old.pt');
    }
  });

  test.each([
    ['itself', 'ctorch._utils\n_rebuild_parameter\n]q\x00Rq\x010h\x00h\x01a0h\x01'],
    ['many', `${'ctorch._utils\n_rebuild_parameter\n'.repeat(20_000)}N${'\x85R'.repeat(20_000)}`],
  ])('a parameter of a parameter of %s is no tensor', async (_, value) => {
    const whole = dict(tensor('0', 'K\0(K\x02t(K\x01t'));
    const { tensors } = await openCheckpoint(stream(`${whole}${text('v')}${value}s`, four));
    expect([...tensors.keys()]).toEqual(['w']);
  });

  test('modules nested without end are refused', async () => {
    const inside = '}\x71\x00';
    const module = `cnet\nNet\n)\x81}(${text('_parameters')}}${text('_buffers')}}${text('_modules')}h\x00ub`;
    const error = await failureOf(openCheckpoint(stream(`${inside}${text('self')}${module}s0${module}`, four)));
    expect(error).toBeInstanceOf(WhenceError);
    expect(error.code).toBe('malformed-file');
  });
});

describe('indexes of shards that lie', () => {
  const folder = join(checkpointFixtures, 'sharded');
  const path = join(folder, 'model.safetensors.index.json');
  const { weight_map: map } = JSON.parse(readFileSync(path, 'utf8')) as { weight_map: Record<string, string> };
  const shard = Object.values(map)[0]!;
  const [first] = Object.keys(map);

  test.each([
    ['../../secret.safetensors', 'malformed-file', '"../../secret.safetensors"'],
    ['..', 'malformed-file', '".."'],
    ['/etc/passwd', 'malformed-file', '"/etc/passwd"'],
    ['C:\\secret', 'malformed-file', 'C:'],
    ['', 'malformed-file', '""'],
    [5, 'malformed-file', '"5"'],
    ['model-00009-of-00003.safetensors', 'not-found', 'model-00009-of-00003.safetensors'],
    ['model.safetensors.index.json', 'malformed-file', ''],
  ])('a shard called %s', async (name, code, words) => {
    const content = JSON.stringify({ weight_map: { ...map, [first!]: name } });
    const error = await failureOf(openCheckpoint(sourceOf(content, path), files));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.details.mend).toBeTruthy();
  });

  test('a shard without a tensor that it should hold', async () => {
    const content = JSON.stringify({ weight_map: { ...map, 'missing.weight': shard } });
    const error = await failureOf(openCheckpoint(sourceOf(content, path), files));
    expect(error).toMatchObject({ code: 'malformed-file', details: { file: path, place: 'tensor missing.weight' } });
    expect(error.message).toContain(shard);
  });
});

test("an ONNX file's weights outside its folder are refused", async () => {
  const bytes = real('external/weights.onnx');
  const text = new TextDecoder('latin1').decode(bytes);
  const moved = text.replaceAll('weights.data', '../../w.data');
  const source = sourceOf(
    [...moved].map((one) => one.charCodeAt(0)),
    join(checkpointFixtures, 'external/weights.onnx'),
  );
  expect(await failureOf(openCheckpoint(source, files))).toMatchObject({ code: 'malformed-file' });
});

test('a log nested without end is refused', async () => {
  const weights = join(checkpointFixtures, 'trainer/checkpoint-3/model.safetensors');
  const log = join(checkpointFixtures, 'trainer/checkpoint-3/trainer_state.json');
  const deep = `{"log_history":${'['.repeat(2_000_000)}`;
  const lying: Files = { ...files, open: async (path) => (path === log ? sourceOf(deep, log) : files.open(path)) };
  expect(await failureOf(readTrainingState(weights, lying))).toMatchObject({
    code: 'malformed-file',
    details: { file: log },
  });
});

test.each([
  ['a tar archive', `${'\0'.repeat(257)}ustar`, 'a tar archive, such as torch.save wrote before 2017'],
  ['an HDF5 file', '\x89HDF\r\n\x1a\n', 'Keras'],
  ['a gzipped file', '\x1f\x8b\x08\0', 'packed with gzip'],
])('%s is refused by its name', async (_, content, words) => {
  const bytes = [...content, ...'\0'.repeat(600)].map((one) => one.charCodeAt(0));
  const error = await failureOf(openCheckpoint(sourceOf(bytes, '/run/weights.h5')));
  expect(error).toMatchObject({ code: 'unsupported-format', details: { file: '/run/weights.h5' } });
  expect(error.message).toContain(words);
  expect(error.details.mend).toBeTruthy();
});

test('archives that torch did not write are no checkpoints', async () => {
  const arrays = await files.open(join(checkpointFixtures, 'refused/arrays.npz'));
  expect(await recogniseCheckpoint(arrays)).toBeUndefined();
});
