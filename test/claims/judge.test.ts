import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcomeOf, verdictOf, type Claimed, type Comparison, type Outcome } from '../../src/claims/judge.ts';

const interval = (low: number, high: number): { low: number; high: number } => ({ low, high });

describe('outcome of a comparison', () => {
  it.each([
    [{ is: 'higher' }, 0.1, 0.2, 'as claimed'],
    [{ is: 'higher' }, -0.1, 0.2, 'no difference seen'],
    [{ is: 'higher' }, -0.2, -0.1, 'opposite'],
    [{ is: 'higher', by: 0.2 }, 0.1, 0.3, 'no difference seen'],
    [{ is: 'higher', by: 0.2 }, 0.25, 0.3, 'as claimed'],
    [{ is: 'lower' }, -0.2, -0.1, 'as claimed'],
    [{ is: 'lower' }, 0.1, 0.2, 'opposite'],
    [{ is: 'lower', by: 0.2 }, -0.3, -0.25, 'as claimed'],
    [{ is: 'equal', margin: 0.05 }, -0.04, 0.05, 'as claimed'],
    [{ is: 'equal', margin: 0.05 }, -0.06, 0.05, 'no difference seen'],
    [{ is: 'equal', margin: 0.05 }, 0.06, 0.07, 'opposite'],
    [{ is: 'different', margin: 0.05 }, 0.06, 0.07, 'as claimed'],
    [{ is: 'different', margin: 0.05 }, -0.07, -0.06, 'as claimed'],
    [{ is: 'different', margin: 0.05 }, -0.04, 0.05, 'opposite'],
    [{ is: 'different', margin: 0.05 }, 0.04, 0.06, 'no difference seen'],
    [{ is: 'not lower', margin: 0.02 }, -0.01, 0.5, 'as claimed'],
    [{ is: 'not lower', margin: 0.02 }, -0.03, 0.5, 'no difference seen'],
    [{ is: 'not lower', margin: 0.02 }, -0.5, -0.03, 'opposite'],
    [{ is: 'not higher', margin: 0.02 }, -0.5, 0.01, 'as claimed'],
    [{ is: 'not higher', margin: 0.02 }, 0.03, 0.5, 'opposite'],
  ] as const)('%o with %d … %d is %s', (claimed, low, high, outcome) => {
    expect(outcomeOf(interval(low, high), claimed)).toBe(outcome);
  });

  it('is undefined without an interval', () => {
    expect(outcomeOf({ low: null, high: 1 }, { is: 'higher' })).toBe('undefined');
  });

  it('of a − b and of b − a mirror each other', () => {
    const number = fc.double({ noNaN: true, min: -10, max: 10 });
    fc.assert(
      fc.property(number, number, fc.double({ noNaN: true, min: 0, max: 5 }), (x, y, by) => {
        const [low, high] = [Math.min(x, y), Math.max(x, y)];
        const flipped = interval(-high, -low);
        const pairs: [Claimed, Claimed][] = [
          [
            { is: 'higher', by },
            { is: 'lower', by },
          ],
          [
            { is: 'not lower', margin: by },
            { is: 'not higher', margin: by },
          ],
          [
            { is: 'equal', margin: by },
            { is: 'equal', margin: by },
          ],
        ];
        for (const [claimed, reversed] of pairs) {
          expect(outcomeOf(flipped, reversed)).toBe(outcomeOf(interval(low, high), claimed));
        }
      }),
    );
  });
});

const comparison = (outcome: Outcome, decides = true): Comparison => ({
  what: 'anything',
  data: 'N',
  a: 'a',
  b: 'b',
  matching: 'nothing',
  valueA: 1,
  valueB: 0,
  difference: { value: 1, low: 0.5, high: 1.5, seeds: 3, detectable: 0.5, paired: true, p: 0.01 },
  claimed: { is: 'higher' },
  decides,
  outcome,
});

describe('verdict', () => {
  it('holds only if everything that decides came out as claimed', () => {
    expect(verdictOf([comparison('as claimed'), comparison('opposite', false)])).toBe('holds');
    expect(verdictOf([comparison('as claimed'), comparison('no difference seen')])).toBe('mixed');
    expect(verdictOf([comparison('no difference seen'), comparison('opposite')])).toBe('does not hold');
  });

  it('does not hold as a whole where a part of the rule could not be tested', () => {
    expect(verdictOf([comparison('as claimed'), comparison('undefined')])).toBe('mixed');
    expect(verdictOf([comparison('as claimed'), comparison('undefined', false)])).toBe('holds');
    expect(verdictOf([comparison('opposite'), comparison('undefined')])).toBe('does not hold');
  });

  it('is not given where nothing that decides is defined', () => {
    expect(verdictOf([comparison('undefined'), comparison('as claimed', false)])).toBe('not testable here');
    expect(verdictOf([])).toBe('not testable here');
  });
});
