import type { PictureConfig } from '../../formats/images/prepare';
import { interpolations } from '../../formats/images/resample';

const size = '\\(?\\s*(?:size\\s*=\\s*)?[(\\[]?\\s*(\\d+)(?:\\s*,\\s*(\\d+))?';

/** What a training script does to pictures by torchvision's transforms; the last Resize is that of evaluation as a rule. */
export function readPictureTransforms(code: string): PictureConfig {
  const resize = lastSize(code, 'Resize');
  const crop = lastSize(code, 'CenterCrop');
  const mode = /InterpolationMode\.(\w+)|Image\.(?:Resampling\.)?(BICUBIC|LANCZOS|NEAREST|BOX|HAMMING)\b/.exec(code);
  const interpolation = interpolations.find((name) => name === (mode?.[1] ?? mode?.[2])?.toLowerCase());
  return {
    ...(/\bGrayscale\s*\(\s*(?:num_output_channels\s*=\s*)?1?\s*\)/.test(code) ? { channels: 'grey' as const } : {}),
    ...(resize === undefined ? {} : { resize }),
    ...(resize === undefined || interpolation === undefined ? {} : { interpolation }),
    ...(crop === undefined ? {} : { crop }),
  };
}

function lastSize(code: string, name: string): number | readonly [number, number] | undefined {
  const found = [...code.matchAll(new RegExp(`\\b${name}\\s*${size}`, 'g'))].at(-1);
  if (!found) return undefined;
  return found[2] === undefined ? Number(found[1]) : [Number(found[1]), Number(found[2])];
}
