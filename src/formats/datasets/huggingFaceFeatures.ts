/**
 * Names of the classes behind a column, as Hugging Face's `datasets` keeps them: a JSON text in the table's metadata, with a
 * ClassLabel for the column. `text` may be anything: what is not understood says nothing.
 */
export function huggingFaceClasses(text: string | undefined): (key: string) => readonly string[] | undefined {
  const features = part(part(parsed(text), 'info'), 'features');
  return (key) => {
    const names = part(part(features, key), 'names');
    if (!Array.isArray(names) || names.length === 0) return undefined;
    return names.every((name) => typeof name === 'string') ? names : undefined;
  };
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function part(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}
