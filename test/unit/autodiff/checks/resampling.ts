import { tensorOf } from '../../../../src/onnx/tensor';
import type { GradientCheck } from '../gradientCheck';
import { f32, float, i64, int, string } from './tensors';

const none = tensorOf('float32', [0], []);

function resized(what: string, attributes: Readonly<Record<string, string>>, scales: readonly number[]): GradientCheck {
  return {
    op: 'Resize',
    what,
    inputs: { x: f32(2, 2, 4, 5) },
    constants: { absent: none, scales: tensorOf('float32', [4], [1, 1, ...scales]) },
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, string(value)])),
    opset: 18,
  };
}

function toSize(what: string, attributes: Readonly<Record<string, string>>, size: readonly number[]): GradientCheck {
  const row = resized(what, attributes, size);
  return { ...row, constants: { absent: none, absent2: none, sizes: i64(2, 2, ...size) } };
}

const asymmetric = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };

export const resampling: readonly GradientCheck[] = [
  resized('nearest, doubled as PyTorch does', asymmetric, [2, 2]),
  resized('nearest, a scale that leaves a rest', asymmetric, [1.7, 0.6]),
  resized('nearest by default', {}, [2, 1.5]),
  resized('nearest, rounded up', { nearest_mode: 'ceil' }, [2, 2]),
  resized('nearest, halves up', { nearest_mode: 'round_prefer_ceil' }, [3, 0.5]),
  resized('linear', { mode: 'linear' }, [2, 1.5]),
  resized('linear, corners aligned', { mode: 'linear', coordinate_transformation_mode: 'align_corners' }, [2, 2]),
  resized('linear, PyTorch', { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' }, [0.5, 2]),
  resized('linear, symmetric', { mode: 'linear', coordinate_transformation_mode: 'half_pixel_symmetric' }, [1.3, 2]),
  resized('cubic', { mode: 'cubic' }, [2, 1.5]),
  toSize('linear to a size', { mode: 'linear' }, [7, 3]),
  toSize('nearest to a size', asymmetric, [3, 9]),
  {
    ...resized('cubic, the outside excluded', { mode: 'cubic' }, [2, 2]),
    attributes: { mode: string('cubic'), exclude_outside: int(1), cubic_coeff_a: float(-0.5) },
  },
  { op: 'DepthToSpace', what: 'DCR', inputs: { x: f32(1, 8, 2, 3) }, attributes: { blocksize: int(2) } },
  {
    op: 'DepthToSpace',
    what: 'CRD, as PixelShuffle',
    inputs: { x: f32(2, 8, 2, 3) },
    attributes: { blocksize: int(2), mode: string('CRD') },
  },
  { op: 'SpaceToDepth', what: 'blocks of two', inputs: { x: f32(2, 3, 4, 6) }, attributes: { blocksize: int(2) } },
];
