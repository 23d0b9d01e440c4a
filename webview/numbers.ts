import { format } from 'd3';

/** U+2212: as wide as a plus sign, and read aloud as "minus". */
const minus = '\u2212';
/** Keeps a number and its unit on one line. */
const noBreak = '\u00a0';

/** Writes signed scores so that a column of them lines up: as many decimals as give `largest` three digits. */
export function scoreFormat(largest: number): (score: number) => string {
  if (!(largest > 0) || !Number.isFinite(largest)) return format('+.3f');
  const exponent = Math.floor(Math.log10(largest));
  return exponent < -4 ? format('+.2e') : format(`+.${Math.max(0, 2 - exponent)}f`);
}

/** `0.061` is "6 %"; what rounds to 100 without being it is "> 99 %", likewise below one percent. */
export function percent(fraction: number): string {
  if (fraction > 0 && fraction < 0.005) return `<${noBreak}1${noBreak}%`;
  if (fraction < 1 && fraction > 0.995) return `>${noBreak}99${noBreak}%`;
  return `${Math.round(fraction * 100)}${noBreak}%`.replace('-', minus);
}

/** A plain number with so many significant digits; what is not finite arrives as null and is no number to show. */
export function significant(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toPrecision(digits) : '?';
}

export function count(value: number): string {
  return format(',')(value);
}

/** "1:50", as minutes and seconds; hours in front where there are any. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
