import type { NodeProto } from './proto/onnx_pb';

/** Where PyTorch's exporter keeps the stack at which a node was traced, innermost call last. */
const stackTrace = 'pkg.torch.onnx.stack_trace';
const frame = /File "([^"\n]+)", line (\d+), in [^\n]*\n\s*([^\n]*)/g;

/** The line of the user's source that made a node: the innermost one that is in no installed package. */
export function sourceOf(node: NodeProto): string | undefined {
  const trace = node.metadataProps.find(({ key }) => key === stackTrace)?.value;
  if (!trace) return undefined;
  const frames = [...trace.matchAll(frame)];
  const own = frames.filter(([, path]) => !/[\\/](site-packages|dist-packages)[\\/]/.test(path!));
  const innermost = own.at(-1) ?? frames.at(-1);
  if (!innermost) return undefined;
  const [, path = '', line = '', code = ''] = innermost;
  return `${path.split(/[\\/]/).at(-1)}, line ${line}: ${code.trim()}`;
}
