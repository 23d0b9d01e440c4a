import type { RetrainConfig } from '../../engine/config/retrainConfig';

/** What a training is told. Paths are absolute. */
export interface TrainingInputs {
  /** The file of the training examples to be used. */
  readonly subset: string;
  readonly seed: number;
  /** The folder that it writes to. */
  readonly out: string;
  /** The file that says what is measured. */
  readonly queries: string;
}

/** A command as the system is to run it. */
export interface TrainingCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly shell: boolean;
  readonly environment: Readonly<Record<string, string>>;
}

/** The configured command with its placeholders filled in. */
export function trainingCommand({ command }: RetrainConfig, inputs: TrainingInputs): TrainingCommand {
  const values: Readonly<Record<string, string>> = {
    subset: inputs.subset,
    seed: String(inputs.seed),
    out: inputs.out,
    queries: inputs.queries,
  };
  const environment = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`WHENCE_${name.toUpperCase()}`, value]),
  );
  const fill = (text: string, as: (value: string) => string) =>
    text.replace(/\{(subset|seed|out|queries)\}/g, (_, name: string) => as(values[name]!));
  if (typeof command === 'string') {
    return { program: fill(command, quoted), args: [], shell: true, environment };
  }
  const [program = '', ...args] = command.map((part) => fill(part, (value) => value));
  return { program, args, shell: false, environment };
}

/** The command as it stands in `whence.json`, for the user to agree to. */
export function commandText({ command }: RetrainConfig): string {
  if (typeof command === 'string') return command;
  return command.map((part) => (/^[\w@%+=:,./{}-]+$/.test(part) ? part : JSON.stringify(part))).join(' ');
}

/** One word of the system's shell, whatever it holds. */
function quoted(value: string): string {
  return process.platform === 'win32' ? `"${value}"` : `'${value.replaceAll("'", "'\\''")}'`;
}
