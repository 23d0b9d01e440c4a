import { create } from '@bufbuild/protobuf';
import { WhenceError } from '../protocol/errors';
import {
  type AttributeProto,
  type FunctionProto,
  AttributeProto_AttributeType as Kind,
  type NodeProto,
  NodeProtoSchema,
} from './proto/onnx_pb';

/** Functions calling functions may grow without bound: a small file could stand for more nodes than memory holds. */
const mostNodes = 100_000;
/** Calls count too, of functions that hold nothing but calls, and constants every time that they are written. */
const mostCalls = 100_000;
const mostConstantBytes = 2 ** 30;
const deepest = 64;

/**
 * `nodes` with the model's own functions written out where they are called. Values inside get the call's first output as
 * a prefix, which no other call has.
 * @throws WhenceError `malformed-file` for functions that call themselves; `unsupported-op` for bodies (If, Loop, Scan)
 * within a function
 */
export function inlineFunctions(
  nodes: readonly NodeProto[],
  functions: readonly FunctionProto[],
  file: string,
): readonly NodeProto[] {
  if (functions.length === 0) return nodes;
  const known = new Map(functions.map((one) => [keyOf(one.domain, one.name, one.overload), one]));
  const result: NodeProto[] = [];
  let calls = 0;
  let constants = 0;
  const write = (node: NodeProto, depth: number): void => {
    const called = known.get(keyOf(node.domain, node.opType, node.overload));
    if (!called) {
      result.push(node);
      for (const { t } of node.attribute) constants += t?.rawData.byteLength ?? 0;
      if (constants > mostConstantBytes) throw refused(undefined, 'stand for more than 1 GB of constants', file);
    } else {
      calls += 1;
      if (calls > mostCalls) throw refused(called, `is called, with others, more than ${mostCalls} times`, file);
      if (depth === deepest) throw refused(called, 'calls itself, or others too deeply', file);
      for (const inner of expanded(node, called, file)) write(inner, depth + 1);
    }
    if (result.length > mostNodes) throw refused(undefined, `stand for more than ${mostNodes} nodes`, file);
  };
  for (const node of nodes) write(node, 0);
  return result;
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === 'ai.onnx' ? '' : domain, name, overload]);
}

function expanded(call: NodeProto, called: FunctionProto, file: string): readonly NodeProto[] {
  const prefix = call.output.find((output) => output !== '') ?? call.name;
  const names = new Map(called.input.map((input, index) => [input, call.input[index] ?? '']));
  // What a function returns unchanged needs a node to bear the output's name.
  const passed = called.output.flatMap((output, index) => {
    const outer = call.output[index] ?? '';
    if (names.has(output) && outer !== '') {
      return [create(NodeProtoSchema, { opType: 'Identity', input: [names.get(output)!], output: [outer] })];
    }
    if (outer !== '') names.set(output, outer);
    return [];
  });
  const named = (value: string): string => (value === '' ? '' : (names.get(value) ?? `${prefix}/${value}`));
  const inner = called.node.map((node) => {
    if (node.attribute.some(({ type }) => type === Kind.GRAPH)) {
      throw new WhenceError('unsupported-op', `The model's function ${called.name} holds a ${node.opType}.`, {
        file,
        place: `function ${called.name}`,
        mend: 'Export the model without control flow, or inline it with onnx.inliner.inline_local_functions.',
      });
    }
    return create(NodeProtoSchema, {
      opType: node.opType,
      domain: node.domain,
      overload: node.overload,
      name: node.name === '' ? '' : `${prefix}/${node.name}`,
      input: node.input.map(named),
      output: node.output.map(named),
      attribute: node.attribute.flatMap((attribute) => resolved(attribute, call, called)),
      metadataProps: node.metadataProps.length > 0 ? node.metadataProps : call.metadataProps,
    });
  });
  return [...inner, ...passed];
}

/** An attribute that refers to one of the function's takes the call's value, else the function's default, else none. */
function resolved(attribute: AttributeProto, call: NodeProto, called: FunctionProto): readonly AttributeProto[] {
  if (attribute.refAttrName === '') return [attribute];
  const given = [...call.attribute, ...called.attributeProto].find(({ name }) => name === attribute.refAttrName);
  return given ? [{ ...given, name: attribute.name }] : [];
}

function refused(called: FunctionProto | undefined, reason: string, file: string): WhenceError {
  const subject = called ? `The model's function ${called.name}` : "The model's functions, written out,";
  return new WhenceError('malformed-file', `${subject} ${reason}.`, {
    file,
    place: called ? `function ${called.name}` : 'functions',
    mend: 'Export the model again.',
  });
}
