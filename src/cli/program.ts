import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type ErrorData, fromErrorData, toErrorData } from '../protocol/errors';
import { type AttributeOptions, attribute } from './commands/attribute';
import { check } from './commands/check';
import { type EvaluateOptions, evaluate } from './commands/evaluate';
import { inspect } from './commands/inspect';
import { providers } from './commands/providers';
import { type RetrainOptions, retrain } from './commands/retrain';
import { type ScoresOptions, scores } from './commands/scores';
import { type SelfInfluenceOptions, selfInfluence } from './commands/selfInfluence';
import { type SetupOptions, setup } from './commands/setup';
import { type SetupGpuOptions, setupGpu } from './commands/setupGpu';
import { type SuspectsOptions, suspects } from './commands/suspects';
import { startEngine, startGpuSetUp, type WorkerProcess } from './engineProcess';
import { interruptible } from './interrupt';
import { progressLine } from './progressLine';
import { parseGroup, parseQueries, parseQuery } from './queries';
import { evaluateOptions, retrainOptions } from './retrainingOptions';
import type { CommandSession, TerminalSession } from './session';
import { methodNames } from './words';

export const exitCodes = { ok: 0, error: 1, usage: 2, cancelled: 130 } as const;

const help = `
Examples are named split:index, counted from 0: test:17. wrong:1 is the most confident wrong test prediction.
Scores are signed: positive examples pushed the prediction towards the measured class.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.
Ctrl+C cancels; finished stages are kept and the next command goes on from there. A second Ctrl+C stops at once.`;

interface EngineOptions {
  readonly device?: string;
  readonly memory?: number;
  readonly json?: boolean;
}

/** Runs one command line (without the program's own name) against the worker at `worker`; resolves to the exit code. */
export async function runCommandLine(args: readonly string[], worker: URL, version: string): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const act = async (options: EngineOptions, command: (session: CommandSession) => Promise<unknown>) => {
    const process = startEngine(worker, options);
    const { engine } = process;
    exitCode = await withWorker(process, options, (session) => command({ ...session, engine }));
  };
  const actOnGpu = async (options: SetupGpuOptions) => {
    const process = startGpuSetUp(worker);
    exitCode = await withWorker(process, {}, (session) => setupGpu(session, process.gpu, options));
  };
  try {
    await commands(act, actOnGpu, version).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    throw error;
  }
}

type Act = (options: EngineOptions, command: (session: CommandSession) => Promise<unknown>) => Promise<void>;

function commands(act: Act, actOnGpu: (options: SetupGpuOptions) => Promise<void>, version: string): Command {
  const program = new Command('whence')
    .description('Which training examples made the model say this?')
    .version(version)
    .addHelpText('after', help)
    .exitOverride()
    .showHelpAfterError('(see whence --help)');
  const subcommand = (name: string, description: string) =>
    program.command(name).description(description).addHelpText('after', help).exitOverride();

  common(subcommand('attribute', 'the training examples behind one prediction'))
    .requiredOption('--query <example>', 'the prediction: test:17, or wrong:1', parseQuery)
    .addOption(method())
    .addOption(measurement())
    .option('--target <class>', 'the class that is measured, by name or number (default: the predicted class)')
    .addOption(token())
    .addOption(top(20))
    .option(
      '--group <examples>',
      'instead, what some training examples did together: train:1,5,9-20, or class:Coat',
      parseGroup,
    )
    .option('--html <file>', 'also write a page to look at')
    .option('--json', 'print JSON')
    .action((options: AttributeOptions & EngineOptions) => act(options, (session) => attribute(session, options)));

  common(subcommand('scores', 'all scores of several predictions, into a .npy file'))
    .requiredOption('--queries <examples>', 'test:0-99, wrong:1-10, or a list of such', parseQueries)
    .addOption(method())
    .addOption(measurement().default('margin'))
    .option('--target <class>', "the class that is measured, by name or number (default: each query's own label)")
    .requiredOption('--out <file>', 'the .npy file: float32 [queries, training examples]')
    .action((options: ScoresOptions & EngineOptions) => act(options, (session) => scores(session, options)));

  common(subcommand('suspects', 'the training examples whose label is most likely wrong'))
    .addOption(top(50))
    .option('--json', 'print JSON')
    .action((options: SuspectsOptions & EngineOptions) => act(options, (session) => suspects(session, options)));

  common(subcommand('self-influence', 'the training examples that moved their own loss most'))
    .addOption(method())
    .addOption(top(20))
    .option('--json', 'print JSON')
    .action((options: SelfInfluenceOptions & EngineOptions) =>
      act(options, (session) => selfInfluence(session, options)),
    );

  subcommand('inspect', 'what a folder holds, and what is missing')
    .argument('[dir]', 'the folder', '.')
    .option('--json', 'print JSON')
    .action((folder: string, options: EngineOptions) =>
      act(options, (session) => inspect(session, folder, options.json ?? false)),
    );

  subcommand('setup', 'write a whence.json for every run found that has none')
    .argument('[dir]', 'the folder', '.')
    .option('--optimizer <call>', "how runs were trained whose files don't tell: 'AdamW(lr=0.001, batch_size=32)'")
    .action((folder: string, options: SetupOptions) => act({}, (session) => setup(session, folder, options)));

  const onRun = (name: string, description: string) =>
    subcommand(name, description)
      .argument('[dir]', 'the folder', '.')
      .addOption(runOption())
      .addOption(deviceOption())
      .addOption(memoryOption());

  onRun('check', 'accuracy and loss of each checkpoint beside what training logged').action(
    (folder: string, options: EngineOptions & { readonly run?: string }) =>
      act(options, (session) => check(session, folder, options.run)),
  );
  onRun('providers', 'the devices that were tried, and why each was taken or not').action(
    (folder: string, options: EngineOptions & { readonly run?: string }) =>
      act(options, (session) => providers(session, folder, options.run)),
  );
  evaluateOptions(onRun('evaluate', 'how well scores foretell what retraining did')).action(
    (folder: string, options: EvaluateOptions & EngineOptions) =>
      act(options, (session) => evaluate(session, folder, options)),
  );
  retrainOptions(onRun('retrain', 'trains anew on parts of the data, by the command in whence.json')).action(
    (folder: string, options: RetrainOptions & EngineOptions & { readonly method: RetrainOptions['methods'] }) =>
      act(options, (session) => retrain(session, folder, { ...options, methods: options.method })),
  );
  subcommand('setup-gpu', "find CUDA, and after asking download onnxruntime's libraries for it")
    .option('--yes', 'download without asking')
    .option('--source <url>', 'another index of packages than the one that onnxruntime-node names')
    .option('--cuda <folders...>', 'folders with CUDA 12 and cuDNN 9, where they are not found')
    .action(actOnGpu);
  return program;
}

function common(command: Command): Command {
  return command
    .option('--workspace <dir>', 'the folder with the training run', '.')
    .addOption(runOption())
    .addOption(deviceOption())
    .addOption(memoryOption());
}

const runOption = () => new Option('--run <name>', 'which run, where the folder has several');
const deviceOption = () => new Option('--device <name>', "auto, cpu, cuda, webgpu, ... (default: the run's own)");
const memoryOption = () =>
  new Option('--memory <megabytes>', "what the computation may take (default: the run's own, else 2048)").argParser(
    (text) => {
      const megabytes = Number(text);
      if (Number.isInteger(megabytes) && megabytes >= 512) return megabytes;
      throw new InvalidArgumentError('It must be a whole number of megabytes, at least 512.');
    },
  );
const method = () =>
  new Option('--method <name>', 'how to attribute (docs/methods.md)')
    .choices(Object.keys(methodNames))
    .default('source');
const measurement = () => new Option('--measurement <name>', 'what is attributed').choices(['margin', 'loss', 'logit']);
const token = () =>
  new Option('--token <place>', 'the one token whose prediction is measured (default: the mean over all)').argParser(
    (text) => {
      const place = Number(text);
      if (Number.isInteger(place) && place >= 0) return place;
      throw new InvalidArgumentError('It must be a whole number from 0.');
    },
  );
const top = (count: number) =>
  new Option('--top <count>', 'how many examples to list').default(count).argParser((text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number > 0) return number;
    throw new InvalidArgumentError('It must be a whole number above 0.');
  });

async function withWorker(
  { kill }: WorkerProcess,
  { json }: EngineOptions,
  command: (session: TerminalSession) => Promise<unknown>,
): Promise<number> {
  const progress = progressLine(process.stderr);
  const say = (line: string) => {
    progress.end();
    process.stderr.write(`${line}\n`);
  };
  const interrupt = interruptible(kill, say);
  const session: TerminalSession = {
    call: { signal: interrupt.signal, ...(json ? {} : { onProgress: (value) => progress.show(value) }) },
    print(text) {
      progress.end();
      process.stdout.write(`${text}\n`);
    },
    say,
  };
  try {
    return (await command(session)) === false ? exitCodes.error : exitCodes.ok;
  } catch (error) {
    progress.end();
    const data: ErrorData = toErrorData(error);
    if (interrupt.signal.aborted) {
      say('Cancelled. Finished stages are kept.');
      return exitCodes.cancelled;
    }
    say(fromErrorData(data).describe());
    return data.code === 'bad-argument' ? exitCodes.usage : exitCodes.error;
  } finally {
    interrupt.dispose();
    kill();
  }
}
