/** JSON for other programs: pixels as base64, everything else as it is. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, entry: unknown) => (entry instanceof Uint8Array ? Buffer.from(entry).toString('base64') : entry),
    2,
  );
}
