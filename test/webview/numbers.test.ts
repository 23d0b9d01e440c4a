import { describe, expect, it } from 'vitest';
import { duration, percent, scoreFormat, significant } from '../../webview/numbers';

describe('scores', () => {
  it.each([
    [0.0842, 0.0842, '+0.0842'],
    [0.0842, -0.00031, '\u22120.0003'],
    [0.0842, 0, '+0.0000'],
    [12.34, 3.456, '+3.5'],
    [1234.5, -17.2, '\u221217'],
    [0.00000123, -0.00000123, '\u22121.23e-6'],
    [0, 0, '+0.000'],
    [Number.NaN, 1, '+1.000'],
  ])('where the largest is %d, %d reads %s', (largest, score, written) => {
    expect(scoreFormat(largest)(score)).toBe(written);
  });
});

describe('percent', () => {
  it.each([
    [0, '0 %'],
    [0.0001, '< 1 %'],
    [0.005, '1 %'],
    [0.061, '6 %'],
    [0.914, '91 %'],
    [0.9951, '> 99 %'],
    [1, '100 %'],
  ])('%d is %s', (fraction, written) => {
    expect(percent(fraction)).toBe(written.replaceAll(' ', '\u00a0'));
  });
});

describe('durations', () => {
  it.each([
    [0, '0:00'],
    [9.6, '0:10'],
    [110, '1:50'],
    [3599.7, '1:00:00'],
    [-3, '0:00'],
  ])('%d s is %s', (seconds, written) => {
    expect(duration(seconds)).toBe(written);
  });
});

it('writes a question mark for what is no number', () => {
  expect([significant(21.4567, 4), significant(Number.NaN, 4)]).toEqual(['21.46', '?']);
});
