import { availableParallelism } from 'node:os';
import { benchNetworks, type NetworkName, networks } from './networks';
import { benchSample } from './sample';

/**
 * `npm run bench [-- sample cnn vit gpt2] [--threads N]`: speed and memory against PyTorch, both in this run. PYTHON names a
 * Python with torch, transformers, onnxscript, numpy and safetensors.
 */
const given = process.argv.slice(2);
const at = given.indexOf('--threads');
const threads = at < 0 ? availableParallelism() : Number(given[at + 1]);
const wanted = given.filter((_, index) => at < 0 || (index !== at && index !== at + 1));
const names = Object.keys(networks) as NetworkName[];
const unknown = wanted.filter((name) => name !== 'sample' && !names.some((known) => known === name));
if (unknown.length > 0) throw new Error(`There is no bench ${unknown.join(', ')}: sample, ${names.join(', ')}.`);

const everything = wanted.length === 0;
if (everything || wanted.includes('sample')) await benchSample(threads);
await benchNetworks(
  names.filter((name) => everything || wanted.includes(name)),
  threads,
);
