import type { Progress } from '../protocol/model';

export interface ProgressLine {
  show(progress: Progress): void;
  /** Ends the line, so that what follows starts on a new one. */
  end(): void;
}

/** What of a stream is needed: stderr. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const barWidth = 20;
const redrawMilliseconds = 100;
const plainMilliseconds = 10_000;

/** A bar that redraws itself on a terminal; elsewhere a line at each new phase and every ten seconds. */
export function progressLine(terminal: Terminal, now: () => number = Date.now): ProgressLine {
  return terminal.isTTY ? bar(terminal, now) : plainLines(terminal, now);
}

function bar(terminal: Terminal, now: () => number): ProgressLine {
  let drawn = Number.NEGATIVE_INFINITY;
  let open = false;
  return {
    show(progress) {
      if (now() - drawn < redrawMilliseconds && progress.done < progress.total) return;
      drawn = now();
      open = true;
      const filled = Math.round(share(progress) * barWidth);
      const line = `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ${sentence(progress)}`;
      // Cut to the width (0: unknown): a wrapped line would not be overwritten.
      terminal.write(`\r\u001b[2K${line.slice(0, (terminal.columns || 80) - 1)}`);
    },
    end() {
      if (open) terminal.write('\r\u001b[2K');
      open = false;
    },
  };
}

function plainLines(terminal: Terminal, now: () => number): ProgressLine {
  let phase = '';
  let written = Number.NEGATIVE_INFINITY;
  return {
    show(progress) {
      if (progress.phase === phase && now() - written < plainMilliseconds) return;
      phase = progress.phase;
      written = now();
      terminal.write(`${sentence(progress)}\n`);
    },
    end() {},
  };
}

function sentence(progress: Progress): string {
  const { phase, message, remainingSeconds } = progress;
  const percent = `${String(Math.floor(share(progress) * 100)).padStart(3)} %`;
  const left = remainingSeconds === undefined ? '' : `, ${clock(remainingSeconds)} left`;
  return `${percent} ${phase}: ${message}${left}`;
}

function share({ done, total }: Progress): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
}

/** `0:07`, `1:50`, `2:05:00`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
