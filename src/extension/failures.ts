import { basename } from 'node:path';
import { type ErrorCode, type ErrorData, toErrorData } from '../protocol/errors';
import type { FailureAction } from '../protocol/viewApi';
import type { Translate } from './translate';

/** An error as a user meets it: what went wrong in words, and the one thing that mends it. */
export interface Failure {
  readonly error: ErrorData;
  /** Prefix, place, message and mend as one paragraph. */
  readonly sentence: string;
  readonly action: FailureAction;
}

/** Looks an error up in the table by its code; what is not a `WhenceError` counts as `internal`. */
export function describeFailure(thrown: unknown, t: Translate): Failure {
  const error = toErrorData(thrown);
  const [prefix, kind] = failureTable(t)[error.code];
  const { file, place, mend } = error.details;
  const where = [file && basename(file), place].filter(Boolean).join(', ');
  const sentence = [`${prefix}${where && ` (${where})`}:`, error.message, mend].filter(Boolean).join(' ');
  return { error, sentence, action: { kind, label: actionLabels(t)[kind] } };
}

function actionLabels(t: Translate): Readonly<Record<FailureAction['kind'], string>> {
  return {
    restart: t('Restart'),
    retry: t('Try Again'),
    'open-file': t('Show File'),
    'set-up': t('Set Up'),
    'show-log': t('Show Log'),
  };
}

/** Every code's sentence prefix and action. A new code does not compile until it has its row. */
function failureTable(t: Translate): Readonly<Record<ErrorCode, readonly [string, FailureAction['kind']]>> {
  return {
    'bad-argument': [t('That cannot be asked'), 'show-log'],
    'not-found': [t('Something is missing'), 'open-file'],
    unreadable: [t('A file cannot be read'), 'open-file'],
    'not-set-up': [t('This workspace is not set up'), 'set-up'],
    'config-invalid': [t('whence.json needs a correction'), 'open-file'],
    'malformed-file': [t('A file is damaged'), 'open-file'],
    'truncated-file': [t('A file is cut short'), 'open-file'],
    'not-finite': [t('A file holds values that are not numbers'), 'open-file'],
    'shape-mismatch': [t('Shapes do not fit'), 'open-file'],
    'binding-failed': [t('The checkpoints do not fit the model'), 'open-file'],
    'unsupported-op': [t('The model has an operator that cannot be differentiated yet'), 'open-file'],
    'unsupported-dtype': [t('A number type is not supported yet'), 'open-file'],
    'unsupported-format': [t('A file format is not supported yet'), 'open-file'],
    'label-out-of-range': [t('A label is out of range'), 'open-file'],
    'empty-data': [t('There is nothing to read'), 'open-file'],
    'disk-full': [t('The disk is full'), 'retry'],
    'out-of-memory': [t('There is not enough memory'), 'retry'],
    'provider-unavailable': [t('The device cannot be used'), 'show-log'],
    'runtime-failed': [t('The model could not be run'), 'show-log'],
    cancelled: [t('Cancelled'), 'retry'],
    disconnected: [t('The engine stopped'), 'restart'],
    internal: [t('Whence failed'), 'show-log'],
  };
}
