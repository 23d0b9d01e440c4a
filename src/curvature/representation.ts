import type { GraphBuilder } from '../onnx/builder';
import type { Model } from '../onnx/graph';
import { WhenceError } from '../protocol/errors';
import { open } from './instrument';
import { isRankOne, siteActivation } from './positions';
import type { Site } from './site';
import { float32, outputNames, type Subject } from './subject';

/** float32 [batch, positions]: what each position counts in the mean, where the last layer has several an example. */
export const placesInput = 'whence/places';

/** The last layer by itself: its last use, without biases. */
export interface LastLayer {
  readonly site: Site;
  readonly width: number;
  readonly positions: number;
}

/**
 * The layer whose output is computed last, which is given the penultimate representation.
 * @throws WhenceError `unsupported-op` where the model has no Linear or convolution layer
 */
export function lastLayer({ model, sites }: Subject): LastLayer {
  const place = new Map(model.graph.nodes.flatMap(({ outputs }, at) => outputs.map((output) => [output, at] as const)));
  const uses = sites.flatMap((site) =>
    site.uses
      .filter(({ map }) => map.kind === 'linear' || map.kind === 'convolution')
      .map((use) => ({ site, use, at: place.get(use.output) ?? 0 })),
  );
  const [last] = uses.sort((a, b) => b.at - a.at);
  if (!last) {
    throw new WhenceError('unsupported-op', 'The model has no last layer whose input could be compared.', {
      file: model.file,
      mend: 'Export the model with its Linear and convolution layers, or choose another method.',
    });
  }
  const { site, use } = last;
  const width = site.inputs - use.trailing.length;
  const { positions } = use;
  return { site: { ...site, inputs: width, positions, uses: [{ ...use, trailing: [] }] }, width, positions };
}

/**
 * Representations of a batch [batch, width] with length 1: the last layer's input, summed over the positions that count, which
 * points where their mean does.
 */
export function representationGraph(subject: Subject): Model {
  const builder = open(subject);
  const { site, positions } = lastLayer(subject);
  const rows = siteActivation(builder, site);
  builder.output(
    outputNames.representation,
    unit(builder, isRankOne(site) ? rows : overPlaces(builder, rows, subject.batch, positions)),
  );
  return builder.build();
}

function overPlaces(builder: GraphBuilder, rows: string, batch: number, positions: number): string {
  const places = builder.input(placesInput, float32([batch, positions]));
  return builder.reduceSum(builder.mul(rows, builder.unsqueeze(places, [2])), [1]);
}

/** Rows over their lengths; a row of zeros stays what it is. */
function unit(builder: GraphBuilder, rows: string): string {
  const squares = builder.reduceSum(builder.mul(rows, rows), [1], true);
  const one = builder.scalar(1, squares);
  const zero = builder.equal(squares, builder.scalar(0, squares));
  return builder.div(rows, builder.sqrt(builder.where(zero, one, squares)));
}
