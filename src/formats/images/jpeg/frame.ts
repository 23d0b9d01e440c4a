import { checkPictureSize, damagedPicture, truncatedPicture, unknownPicture } from '../pixels';

/** One colour component of a frame, its planes padded to whole units of the interleaved scan. */
export interface Component {
  readonly id: number;
  readonly horizontal: number;
  readonly vertical: number;
  readonly quantization: number;
  /** Samples that the component has of the picture. */
  readonly width: number;
  readonly height: number;
  /** Blocks that hold samples, and blocks in the plane. */
  readonly blocksAcross: number;
  readonly blocksDown: number;
  readonly blocksPerRow: number;
  readonly coefficients: Int16Array;
  /** The quantization table in force when its first scan began. */
  quantities?: Uint16Array;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly unitsAcross: number;
  readonly unitsDown: number;
  readonly mostHorizontal: number;
  readonly mostVertical: number;
  readonly components: readonly Component[];
}

/** Kinds of frames by their markers; those absent are read. */
export const unreadFrames: Readonly<Record<number, string>> = {
  195: 'lossless',
  197: 'hierarchical',
  198: 'hierarchical',
  199: 'hierarchical lossless',
  201: 'arithmetic-coded',
  202: 'arithmetic-coded',
  203: 'arithmetic-coded lossless',
  205: 'arithmetic-coded',
  206: 'arithmetic-coded',
  207: 'arithmetic-coded',
};

export interface FrameSize {
  readonly width: number;
  readonly height: number;
  readonly components: number;
}

/** Size of a frame by its header: precision, height, width and the number of components (T.81, B.2.2). */
export function frameSize(segment: Uint8Array, file: string): FrameSize {
  if (segment.length < 6) throw damagedPicture(file, 'frame header', 'The frame header is too short.');
  const [precision, high, low, wide, narrow, components = 0] = segment;
  if (precision !== 8) throw unknownPicture(file, `This is a JPEG of ${precision} bits`);
  const height = (high! << 8) | low!;
  const width = (wide! << 8) | narrow!;
  checkPictureSize(width, height, file);
  return { width, height, components };
}

/** Lays a frame out. `bytes` is the file's size: a frame whose blocks could not all be in it is refused before it takes memory. */
export function readFrame(segment: Uint8Array, progressive: boolean, file: string, bytes: number): Frame {
  const { width, height, components: count } = frameSize(segment, file);
  if (![1, 3, 4].includes(count)) throw unknownPicture(file, `This is a JPEG of ${count} components`);
  if (segment.length < 6 + 3 * count) throw damagedPicture(file, 'frame header', 'The frame header is too short.');
  // Each block of 64 samples takes at least one bit.
  if ((width * height) / 64 > bytes * 8) throw truncatedPicture(file, bytes);
  const stated = Array.from({ length: count }, (_, index) => {
    const [id, factors, quantization] = segment.subarray(6 + 3 * index);
    return { id: id!, horizontal: factors! >> 4, vertical: factors! & 15, quantization: quantization! };
  });
  const factors = stated.flatMap(({ horizontal, vertical }) => [horizontal, vertical]);
  if (factors.some((factor) => factor < 1 || factor > 4)) {
    throw damagedPicture(file, 'frame header', 'A sampling factor is not from 1 to 4.');
  }
  const mostHorizontal = Math.max(...stated.map(({ horizontal }) => horizontal));
  const mostVertical = Math.max(...stated.map(({ vertical }) => vertical));
  const unitsAcross = Math.ceil(width / (8 * mostHorizontal));
  const unitsDown = Math.ceil(height / (8 * mostVertical));
  const components = stated.map((component): Component => {
    const ownWidth = Math.ceil((width * component.horizontal) / mostHorizontal);
    const ownHeight = Math.ceil((height * component.vertical) / mostVertical);
    const blocksPerRow = unitsAcross * component.horizontal;
    return {
      ...component,
      width: ownWidth,
      height: ownHeight,
      blocksAcross: Math.ceil(ownWidth / 8),
      blocksDown: Math.ceil(ownHeight / 8),
      blocksPerRow,
      coefficients: new Int16Array(64 * blocksPerRow * unitsDown * component.vertical),
    };
  });
  return { width, height, progressive, unitsAcross, unitsDown, mostHorizontal, mostVertical, components };
}
