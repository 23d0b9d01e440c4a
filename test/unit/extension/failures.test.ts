import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../../src/extension/failures';
import { errorCodes, WhenceError } from '../../../src/protocol/errors';
import { english } from './english';

describe('describeFailure', () => {
  it.each(errorCodes)('has words and one action for %s', (code) => {
    const { sentence, action } = describeFailure(new WhenceError(code, 'It happened.'), english);
    expect(sentence).toMatch(/^[^:]{5,}: It happened\.$/);
    expect(action.label).not.toBe('');
  });

  it('names file and place, and ends with the mend', () => {
    const details = { file: '/run/checkpoints/step-3.safetensors', place: 'byte 8', mend: 'Save it again.' };
    const { sentence } = describeFailure(new WhenceError('truncated-file', 'It ends early.', details), english);
    expect(sentence).toBe('A file is cut short (step-3.safetensors, byte 8): It ends early. Save it again.');
  });

  it('goes by the code, whatever the message says', () => {
    const kinds = errorCodes.map((code) => describeFailure(new WhenceError(code, 'one message'), english).action.kind);
    expect(new Set(kinds)).toEqual(new Set(['restart', 'retry', 'open-file', 'set-up', 'show-log']));
    expect(describeFailure(new WhenceError('disconnected', 'no such file'), english).action.kind).toBe('restart');
    expect(describeFailure(new WhenceError('not-set-up', 'disconnected'), english).action.kind).toBe('set-up');
  });

  it('takes what is not ours for an internal failure', () => {
    const { error, action } = describeFailure(new TypeError('x is not a function'), english);
    expect(error).toEqual({ code: 'internal', message: 'x is not a function', details: {} });
    expect(action.kind).toBe('show-log');
  });
});
