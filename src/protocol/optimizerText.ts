/** An optimizer as people write it in Python; what is left out is absent. */
export interface StatedOptimizer {
  readonly kind: 'sgd' | 'adam' | 'adamw';
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
  readonly batchSize?: number;
}

const names = { sgd: 'SGD', adam: 'Adam', adamw: 'AdamW' } as const;
const kinds: Readonly<Record<string, StatedOptimizer['kind']>> = { sgd: 'sgd', adam: 'adam', adamw: 'adamw' };

/** `AdamW(lr=0.001, weight_decay=0.01)` */
export function formatOptimizer(optimizer: StatedOptimizer): string {
  const { kind, learningRate, momentum, nesterov, weightDecay, betas, epsilon, batchSize } = optimizer;
  const given = [
    learningRate === undefined ? '' : `lr=${learningRate}`,
    momentum === undefined ? '' : `momentum=${momentum}`,
    nesterov ? 'nesterov=True' : '',
    weightDecay === undefined ? '' : `weight_decay=${weightDecay}`,
    betas === undefined ? '' : `betas=(${betas.join(', ')})`,
    epsilon === undefined ? '' : `eps=${epsilon}`,
    batchSize === undefined ? '' : `batch_size=${batchSize}`,
  ];
  return `${names[kind]}(${given.filter(Boolean).join(', ')})`;
}

/** Reads what `formatOptimizer` writes, with arguments in any order; undefined where it cannot be read or cannot be. */
export function parseOptimizer(text: string): StatedOptimizer | undefined {
  const call = /^\s*(?:torch\.)?(?:optim\.)?(SGD|AdamW?)\s*\((.*)\)\s*$/is.exec(text);
  const kind = kinds[call?.[1]?.toLowerCase() ?? ''];
  if (!call || !kind) return undefined;
  const stated: { -readonly [K in keyof StatedOptimizer]: StatedOptimizer[K] } = { kind };
  for (const argument of call[2]!.split(/,(?![^([]*[)\]])/)) {
    // What is moved is not asked for.
    if (argument.trim() === '' || /^[^=]*\bparam(eter)?s\b/.test(argument)) continue;
    const [name, value] = argument.split('=').map((part) => part.trim());
    if (!name || !value || !setArgument(stated, name, value)) return undefined;
  }
  return stated;
}

type Mutable = { -readonly [K in keyof StatedOptimizer]: StatedOptimizer[K] };

/** False where an argument is none, or has a value that it cannot have. */
function setArgument(stated: Mutable, name: string, value: string): boolean {
  const figure = Number(value);
  const isFraction = figure >= 0 && figure < 1;
  if (name === 'lr' && figure > 0) stated.learningRate = figure;
  else if (name === 'momentum' && isFraction) stated.momentum = figure;
  else if (name === 'weight_decay' && figure >= 0) stated.weightDecay = figure;
  else if (name === 'eps' && figure >= 0) stated.epsilon = figure;
  else if (name === 'batch_size' && Number.isInteger(figure) && figure > 0) stated.batchSize = figure;
  else if (name === 'nesterov' && /^(True|False)$/i.test(value)) stated.nesterov = /^true$/i.test(value);
  else if (name === 'betas') {
    const [first, second, ...more] = value
      .replace(/^[([]|[)\]]$/g, '')
      .split(',')
      .map(Number);
    if (first === undefined || second === undefined || more.length > 0) return false;
    if (!(first >= 0 && first < 1 && second >= 0 && second < 1)) return false;
    stated.betas = [first, second];
  } else return false;
  return true;
}
