/** What wrappers put before the names of the module they hold: DataParallel and torch.compile, FSDP and checkpointing. */
const wrappers = /(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;

/**
 * Names as the model itself has them, without those of wrappers: `module.` where all have it, `_orig_mod.` anywhere.
 * Names that would become equal stay as they are.
 */
export function withoutWrappers(names: readonly string[]): ReadonlyMap<string, string> {
  let cleaned = names.map((name) => name.replace(wrappers, '$1'));
  while (cleaned.length > 0 && cleaned.every((name) => name.startsWith('module.'))) {
    cleaned = cleaned.map((name) => name.slice('module.'.length));
  }
  const isUnique = new Set(cleaned).size === names.length && !cleaned.includes('');
  return new Map(names.map((name, index) => [name, isUnique ? cleaned[index]! : name]));
}
