import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Chance, Table } from '../../src/world/chance.ts';

const weights = fc.uniqueArray(fc.tuple(fc.nat(50), fc.double({ min: 0.01, max: 10, noNaN: true })), {
  minLength: 1,
  maxLength: 12,
  selector: ([item]) => item,
});

describe('Table', () => {
  it('has probabilities that sum to one, and items where their quantiles are', () => {
    fc.assert(
      fc.property(weights, (entries) => {
        const table = new Table(new Map(entries));
        const total = entries.reduce((sum, [, w]) => sum + w, 0);
        let below = 0;
        for (const [item, weight] of entries.toSorted(([a], [b]) => a - b)) {
          const p = weight / total;
          expect(table.probability(item)).toBeCloseTo(p, 12);
          expect(table.items[table.find(below + p / 2)]).toBe(item);
          below += p;
        }
        expect(table.probability(51)).toBe(0);
      }),
    );
  });

  it('leaves out what has no weight', () => {
    const table = new Table(new Map([[3, 0], [4, 1]])); // prettier-ignore
    expect([...table.items]).toEqual([4]);
    expect(table.probability(3)).toBe(0);
  });
});

describe('Chance', () => {
  it('adds up −ln P of every choice', () => {
    const chance = new Chance(new Random(0));
    const table = new Table(new Map([[1, 1], [2, 3]])); // prettier-ignore
    chance.index(8);
    const yes = chance.happens(0.25);
    const item = chance.pick(table);
    const expected = Math.log(8) - Math.log(yes ? 0.25 : 0.75) - Math.log(item === 1 ? 0.25 : 0.75);
    expect(chance.surprisal).toBeCloseTo(expected, 12);
  });

  it('charges nothing for what is certain', () => {
    const chance = new Chance(new Random(0));
    chance.index(1);
    expect([chance.happens(0), chance.happens(1)]).toEqual([false, true]);
    chance.pick(new Table(new Map([[5, 2]])));
    expect(chance.surprisal).toBe(0);
  });

  it('charges a favoured draw by the probability of its result', () => {
    const table = new Table(new Map([[1, 1], [2, 2], [3, 5]])); // prettier-ignore
    const counts = new Map<number, number>();
    const charged = new Map<number, number>();
    const random = new Random(1);
    const draws = 20_000;
    for (let i = 0; i < draws; i++) {
      const chance = new Chance(random);
      const item = chance.pickFavouring([1, 3, 99], 0.4, table);
      counts.set(item, (counts.get(item) ?? 0) + 1);
      charged.set(item, Math.exp(-chance.surprisal));
    }
    expect([...charged.values()].reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 10);
    for (const [item, p] of charged) expect(Math.abs(counts.get(item)! / draws - p)).toBeLessThan(0.02);
  });
});
