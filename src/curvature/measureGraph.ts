import { GraphBuilder } from '../onnx/builder';
import type { Model } from '../onnx/graph';
import type { MeasurementKind } from '../protocol/model';
import { labelsInput, measurementHead } from './heads';
import type { Subject } from './subject';

/** The one output of `measureGraph`: float32 [batch]. */
export const measuredOutput = 'whence/out/measured';

/** Forward only: the measurement of every example at the labels that are fed. Nothing of it is differentiated. */
export function measureGraph(subject: Subject, kind: MeasurementKind): Model {
  const builder = new GraphBuilder(subject.model, subject.types);
  for (const weight of subject.trained) builder.weightInput(weight);
  builder.output(measuredOutput, measurementHead(builder, subject, kind, labelsInput(builder, subject)));
  return builder.build();
}
