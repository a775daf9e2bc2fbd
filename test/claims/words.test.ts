import { expect, it } from 'vitest';
import type { Comparison } from '../../src/claims/judge.ts';
import { openIn, outcomesOf, range, show, bothSides } from '../../src/claims/words.ts';

const compared = (over: Partial<Comparison>): Comparison => ({
  what: 'score',
  data: 'W',
  a: 'tree',
  b: 'flat',
  matching: 'total L0',
  valueA: 0.5,
  valueB: 0.4,
  difference: { value: 0.1, low: 0.05, high: 0.15, seeds: 3, detectable: 0.05, p: 0.01, paired: true },
  claimed: { is: 'higher' },
  decides: true,
  outcome: 'as claimed',
  ...over,
});

it('numbers have three digits, and what is undefined is named', () => {
  expect([0.123456, 1234.5, -0.5, null, Number.NaN].map(show)).toEqual([
    '0.123',
    '1230',
    '-0.5',
    'undefined',
    'undefined',
  ]);
});

it('a range has a sign', () => {
  expect(range(compared({}))).toBe('W +0.1 (0.05 … 0.15)');
  const worse = { value: -0.1, low: -0.15, high: -0.05, seeds: 3, detectable: 0.05, p: 0.01, paired: true };
  expect(range(compared({ difference: worse }))).toBe('W -0.1 (-0.15 … -0.05)');
});

it('a range without an interval has none', () => {
  const difference = { value: 0.1, low: null, high: null, seeds: 1, detectable: null, p: null, paired: false };
  expect(range(compared({ difference }))).toBe('W +0.1');
});

it('sides are both values and the interval of the difference', () => {
  expect(bothSides(compared({}))).toBe('score 0.5 against 0.4: W +0.1 (0.05 … 0.15)');
});

it('open is what showed nothing or is undefined among the comparisons that decide, with the reason', () => {
  expect(openIn([compared({}), compared({ decides: false, outcome: 'undefined' })])).toBe('');
  expect(
    openIn([compared({ outcome: 'no difference seen' }), compared({ outcome: 'undefined', why: 'too few' })]),
  ).toBe(' No difference seen (1): score on W, detectable 0.05. Undefined (1): score on W (too few).');
});

it('only comparisons that decide are spoken of, and what could have been seen where nothing was', () => {
  const text = outcomesOf([
    compared({}),
    compared({ what: 'other', outcome: 'no difference seen' }),
    compared({ what: 'left out', decides: false, outcome: 'opposite' }),
    compared({ what: 'missing', data: 'S', outcome: 'undefined' }),
  ]);
  expect(text).toBe(
    '3 comparisons decide. As claimed (1): score: tree against flat W +0.1 (0.05 … 0.15). No difference seen (1): other: tree against flat W ' +
      '+0.1 (0.05 … 0.15), detectable 0.05. Undefined (1): missing on S.',
  );
});
