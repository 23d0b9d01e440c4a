import type { Subject } from '../../curvature/subject';
import type { Model } from '../../onnx/graph';
import { forWebGpu } from '../../onnx/webgpu';

/** A graph in the form that a provider runs: the CPU has every kernel, other devices keep to what all of them have. */
export function deviceGraph(provider: string, subject: Subject, graph: (subject: Subject) => Model): Model {
  if (provider === 'cpu') return graph(subject);
  const model = graph({ ...subject, portable: true });
  return provider === 'webgpu' ? forWebGpu(model) : model;
}
