/** Verdicts of claims whose rule is not "all or none". */
import { describe, expect, it } from 'vitest';
import { verdictFor as verdictOfModels } from '../../src/claims/h-sae/models.ts';
import { verdictFor as verdictOfOrtho } from '../../src/claims/h-sae/ortho.ts';
import { isInside } from '../../src/claims/dynamic/alpha.ts';
import type { Comparison, Outcome } from '../../src/claims/judge.ts';

const comparison = (outcome: Outcome, decides = true): Comparison => ({
  what: 'variance explained',
  data: 'W',
  a: 'a',
  b: 'b',
  matching: 'total L0',
  valueA: 0.5,
  valueB: 0.75,
  difference: { value: -0.25, low: -0.3, high: 0.2, seeds: 3, detectable: 0.25, paired: true, p: 0.5 },
  claimed: { is: 'different', margin: 0.1 },
  decides,
  outcome,
});

describe('hsae-models', () => {
  it.each([
    [8, 2, 10, 'holds'],
    [7, 3, 10, 'mixed'],
    [1, 8, 10, 'does not hold'],
    [0, 0, 10, 'does not hold'],
    [0, 0, 0, 'not testable here'],
  ] as const)('%d better and %d worse of %d: %s', (better, worse, cells, verdict) => {
    expect(verdictOfModels(better, worse, cells)).toBe(verdict);
  });
});

describe('hsae-ortho', () => {
  it('holds as soon as one metric moves, is mixed where only the printed formula moves it', () => {
    const still = comparison('opposite');
    expect(verdictOfOrtho([still, comparison('as claimed')])).toBe('holds');
    expect(verdictOfOrtho([still, comparison('as claimed', false)])).toBe('mixed');
    expect(verdictOfOrtho([still, comparison('no difference seen', false)])).toBe('does not hold');
    expect(verdictOfOrtho([comparison('undefined')])).toBe('not testable here');
  });
});

describe('dynamic-alpha', () => {
  it('an α at an end of its clamp does not adapt', () => {
    expect([0.1, 2, 0.100001, 1.9999, 1].map(isInside)).toEqual([false, false, true, true, true]);
  });
});
