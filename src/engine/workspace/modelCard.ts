import type { Files } from '../../formats/bytes';
import type { LossKind } from '../../protocol/model';

/** What the `config.json` of a transformers model tells. */
export interface ModelCard {
  readonly file: string;
  readonly loss?: Exclude<LossKind, 'custom'>;
  readonly classes?: readonly string[];
}

const largest = 2 ** 20;

/** Reads the `config.json` beside a checkpoint or in its run's folder; undefined where there is none of a known architecture. */
export async function readModelCard(beside: string, folder: string, files: Files): Promise<ModelCard | undefined> {
  for (const file of [files.join(beside, 'config.json'), files.join(folder, 'config.json')]) {
    const content = await readObject(file, files);
    const architectures: unknown = content?.architectures;
    const architecture: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
    if (!content || typeof architecture !== 'string') continue;
    const loss = lossOf(architecture, content.problem_type);
    const classes = classesOf(content.id2label);
    return { file, ...(loss ? { loss } : {}), ...(classes ? { classes } : {}) };
  }
  return undefined;
}

function lossOf(architecture: string, problem: unknown): ModelCard['loss'] {
  if (/(ForCausalLM|LMHeadModel)$/.test(architecture)) return 'next-token';
  if (problem === 'regression') return 'squared-error';
  if (problem === 'multi_label_classification') return undefined;
  return /For(Sequence|Token|Image|Audio)Classification$/.test(architecture) ? 'cross-entropy' : undefined;
}

/** Names in the order of their numbers; `LABEL_0` is what transformers writes where nobody named them. */
function classesOf(names: unknown): readonly string[] | undefined {
  if (typeof names !== 'object' || names === null) return undefined;
  const entries = Object.entries(names).sort(([a], [b]) => Number(a) - Number(b));
  const isWhole = entries.every(([id, name], index) => Number(id) === index && typeof name === 'string');
  const isNamed = entries.some(([, name]) => !/^LABEL_\d+$/.test(String(name)));
  return isWhole && isNamed && entries.length > 1 ? entries.map(([, name]) => String(name)) : undefined;
}

async function readObject(file: string, files: Files): Promise<Record<string, unknown> | undefined> {
  try {
    const source = await files.open(file);
    const content: unknown = JSON.parse(new TextDecoder().decode(await source.read(0, Math.min(source.size, largest))));
    return typeof content === 'object' && content !== null ? { ...content } : undefined;
  } catch {
    // No such file, or one of something else.
    return undefined;
  }
}
