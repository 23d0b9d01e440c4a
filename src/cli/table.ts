export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Rows under their titles, two spaces between columns, no trailing spaces. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, at) => Math.max(...[titles, ...rows].map((row) => width(row[at] ?? ''))));
  const line = (row: readonly string[]) =>
    columns.map((column, at) => pad(row[at] ?? '', widths[at] ?? 0, column)).join('  ');
  return [titles, ...rows].map((row) => line(row).trimEnd()).join('\n');
}

function pad(text: string, to: number, { align = 'left' }: Column): string {
  const space = ' '.repeat(Math.max(0, to - width(text)));
  return align === 'right' ? space + text : text + space;
}

/** Code points, which for labels of most languages is what a terminal shows as one cell. */
function width(text: string): number {
  return [...text].length;
}
