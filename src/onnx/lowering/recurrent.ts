import { floatOf, intOf, stringOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { range } from '../dims';
import type { Node } from '../graph';
import type { Lowering, Lowerings } from './lowering';

/** One direction of a recurrent layer. Shapes: B batch, I inputs, H hidden, G gates. */
interface Direction {
  /** What the inputs of step t add to the gates, [B, G H]. */
  readonly inputGates: (step: number) => string;
  /** [G H, H] */
  readonly recurrence: string;
  /** [G H], or '' */
  readonly recurrentBias: string;
  readonly hidden: number;
  readonly node: Node;
}

/** The state after a step from that before it; the first entry is the output. */
type Cell = (b: GraphBuilder, direction: Direction, step: number, state: readonly string[]) => readonly string[];

const apply = (b: GraphBuilder, op: string, value: string): string => b.emit(op, [value], b.typeOf(value));

function parts(b: GraphBuilder, gates: string, count: number): readonly string[] {
  const width = b.dims(gates)[1]! / count;
  return b.split(
    gates,
    range(count).map(() => width),
    1,
  );
}

/** Gates in the order input, output, forget, cell. */
const lstmCell: Cell = (b, { inputGates, recurrence }, step, [h, c]) => {
  const gates = b.gemm(h!, recurrence, { transB: true, bias: inputGates(step) });
  const [input, output, forget, cell] = parts(b, gates, 4) as [string, string, string, string];
  const kept = b.mul(apply(b, 'Sigmoid', forget), c!);
  const memory = b.add(kept, b.mul(apply(b, 'Sigmoid', input), apply(b, 'Tanh', cell)));
  return [b.mul(apply(b, 'Sigmoid', output), apply(b, 'Tanh', memory)), memory];
};

/** Gates in the order update, reset, hidden. */
const gruCell: Cell = (b, { inputGates, recurrence, recurrentBias, hidden, node }, step, [h]) => {
  const [updateX, resetX, newX] = parts(b, inputGates(step), 3) as [string, string, string];
  const rows = (from: number, to: number): { weight: string; bias: string } => ({
    weight: b.slice(recurrence, [from * hidden], [to * hidden], [0]),
    bias: recurrentBias === '' ? '' : b.slice(recurrentBias, [from * hidden], [to * hidden], [0]),
  });
  const sigmoid = (x: string, y: string): string => apply(b, 'Sigmoid', b.add(x, y));
  const mixed = (update: string, candidate: string): string => b.add(candidate, b.mul(update, b.sub(h!, candidate)));
  if (intOf(node, 'linear_before_reset', 0) === 1) {
    const gates = b.gemm(h!, recurrence, { transB: true, bias: recurrentBias });
    const [updateH, resetH, newH] = parts(b, gates, 3) as [string, string, string];
    const gated = b.mul(sigmoid(resetX, resetH), newH);
    return [mixed(sigmoid(updateX, updateH), apply(b, 'Tanh', b.add(newX, gated)))];
  }
  const [first, last] = [rows(0, 2), rows(2, 3)];
  const gates = b.gemm(h!, first.weight, { transB: true, bias: first.bias });
  const [updateH, resetH] = parts(b, gates, 2) as [string, string];
  const newH = b.gemm(b.mul(sigmoid(resetX, resetH), h!), last.weight, { transB: true, bias: last.bias });
  return [mixed(sigmoid(updateX, updateH), apply(b, 'Tanh', b.add(newX, newH)))];
};

function plainCell(activation: string): Cell {
  return (b, { inputGates, recurrence }, step, [h]) => [
    apply(b, activation, b.gemm(h!, recurrence, { transB: true, bias: inputGates(step) })),
  ];
}

/** What each op has beside its cell: states, gates, and whether both biases can be added to the inputs at once. */
interface Kind {
  readonly gates: number;
  readonly states: 1 | 2;
  readonly joinedBias: boolean;
  readonly cell: (node: Node) => Cell | null;
}

/** Activations as the exporters leave or spell them. */
function activationsAre(node: Node, expected: readonly string[]): boolean {
  const given = node.attributes.activations;
  if (given?.kind !== 'strings' || given.value.length === 0) return true;
  return given.value.every((name, index) => name === expected[index % expected.length]);
}

function plainActivation(node: Node): Cell | null {
  const given = node.attributes.activations;
  const [name = 'Tanh', ...others] = given?.kind === 'strings' ? given.value : [];
  const known = ['Tanh', 'Relu', 'Sigmoid'].includes(name) && others.every((other) => other === name);
  return known ? plainCell(name) : null;
}

/** Step by step, since the number of steps is fixed at a batch: Y [T, D, B, H], then the last states [D, B, H]. */
function unrolled(kind: Kind): Lowering {
  return (b, node) => {
    const [x, weights, recurrences, biases, lengths, firstHidden, firstCell, peepholes] = node.inputs as string[];
    const cell = kind.cell(node);
    const plain =
      intOf(node, 'layout', 0) === 0 && intOf(node, 'input_forget', 0) === 0 && floatOf(node, 'clip', 0) === 0;
    if (!cell || !plain || peepholes) return null;
    const [steps, batch, width] = b.dims(x!) as [number, number, number];
    const [directions, , hidden] = b.dims(recurrences!) as [number, number, number];
    const size = kind.gates * hidden;
    const zero = b.zeros({ dtype: b.dtype(x!), dims: [batch, hidden] });
    const rows = b.reshape(x!, [steps * batch, width]);
    const outputs: string[][] = range(steps).map(() => []);
    const last: string[][] = [];

    for (const d of range(directions)) {
      const own = (value: string, from: number, to: number, dims: readonly number[]): string =>
        b.reshape(b.slice(value, [d, from], [d + 1, to], [0, 1]), dims);
      const weight = own(weights!, 0, size, [size, width]);
      const inputBias = biases ? own(biases, 0, size, [size]) : '';
      const recurrentBias = biases ? own(biases, size, 2 * size, [size]) : '';
      const bias = biases && kind.joinedBias ? b.add(inputBias, recurrentBias) : inputBias;
      const gates = b.gemm(rows, weight, { transB: true, bias });
      const bySteps = b.split(
        gates,
        range(steps).map(() => batch),
        0,
      );
      const recurrence = own(recurrences!, 0, size, [size, hidden]);
      const direction = { inputGates: (step: number) => bySteps[step]!, recurrence, recurrentBias, hidden, node };
      let state = [firstHidden, firstCell]
        .slice(0, kind.states)
        .map((first) => (first ? own(first, 0, batch, [batch, hidden]) : zero));
      const backwards = stringOf(node, 'direction', 'forward') === 'reverse' || d === 1;
      for (const step of backwards ? [...range(steps)].reverse() : range(steps)) {
        const next = cell(b, direction, step, state);
        // Beyond its length a sequence keeps its state and puts out zeros.
        const inside = lengths ? within(b, lengths, step, batch) : '';
        state = next.map((value, index) => (lengths ? b.where(inside, value, state[index]!) : value));
        outputs[step]!.push(lengths ? b.where(inside, state[0]!, zero) : state[0]!);
      }
      last.push([...state]);
    }
    const stacked = (values: readonly string[], dims: readonly number[]): string =>
      b.concat(
        values.map((value) => b.reshape(value, dims)),
        0,
      );
    const all = stacked(outputs.flat(), [1, batch, hidden]);
    const finals = range(kind.states).map((index) =>
      stacked(
        last.map((state) => state[index]!),
        [1, batch, hidden],
      ),
    );
    return [b.reshape(all, [steps, directions, batch, hidden]), ...finals];
  };
}

/** True for the sequences that still run at a step: bool [batch, 1]. */
function within(b: GraphBuilder, lengths: string, step: number, batch: number): string {
  return b.reshape(b.greater(lengths, b.constant(step, [], b.dtype(lengths))), [batch, 1]);
}

export const recurrent: Lowerings = {
  LSTM: unrolled({
    gates: 4,
    states: 2,
    joinedBias: true,
    cell: (node) => (activationsAre(node, ['Sigmoid', 'Tanh', 'Tanh']) ? lstmCell : null),
  }),
  GRU: unrolled({
    gates: 3,
    states: 1,
    joinedBias: false,
    cell: (node) => (activationsAre(node, ['Sigmoid', 'Tanh']) ? gruCell : null),
  }),
  RNN: unrolled({ gates: 1, states: 1, joinedBias: true, cell: plainActivation }),
};
