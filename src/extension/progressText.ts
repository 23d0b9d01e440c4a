import type { Progress } from '../protocol/model';
import type { Translate } from './translate';

/** `Covariances of segment 2 of 3, 41 %, 1:50 left`. */
export function progressText({ message, done, total, remainingSeconds }: Progress, t: Translate): string {
  const parts = [message];
  if (total > 0) parts.push(t('{0} %', Math.floor((100 * done) / total)));
  if (remainingSeconds !== undefined) parts.push(t('{0} left', clock(remainingSeconds)));
  return parts.join(', ');
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
