import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import {
  addCapacity,
  attachDeadToRoot,
  dueAfter,
  fillRoot,
  greedyQuotas,
  reallocateDeadChildren,
  type AllocationClock,
  type Families,
} from '../../src/forest/allocation.ts';

const families = fc
  .record({ parents: fc.integer({ min: 1, max: 6 }), children: fc.integer({ min: 0, max: 12 }), seed: fc.nat() })
  .map(({ parents, children, seed }): Families => {
    const random = new Random(seed);
    return {
      parent: Uint32Array.from({ length: children }, () => random.below(parents + 1)),
      dead: Array.from({ length: children }, () => random.below(2) === 0),
      capacity: Float32Array.from({ length: parents + 1 }, () => random.below(5) / 2),
      eligible: Array.from({ length: parents + 1 }, (_, p) => p === parents || random.below(3) > 0),
    };
  });

/** All ways to give `children` to `parents`. */
function* distributions(parents: number, children: number): Generator<number[]> {
  if (parents === 1) yield [children];
  else {
    for (let first = 0; first <= children; first++)
      for (const rest of distributions(parents - 1, children - first)) yield [first, ...rest];
  }
}

const payoff = (capacity: ArrayLike<number>, quotas: ArrayLike<number>): number =>
  Math.min(...Array.from(quotas, (quota, p) => (quota > 0 ? capacity[p] / quota : Infinity)));

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);

describe('greedyQuotas', () => {
  it('maximises the smallest capacity per child, by brute force', () => {
    const cases = fc.tuple(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 6 }),
    );
    fc.assert(
      fc.property(cases, ([capacity, children]) => {
        const quotas = greedyQuotas(
          capacity,
          capacity.map(() => true),
          children,
        );
        expect(sum(quotas)).toBe(children);
        const best = Math.max(...[...distributions(capacity.length, children)].map((other) => payoff(capacity, other)));
        expect(payoff(capacity, quotas)).toBe(best);
      }),
    );
  });

  it('gives nothing to those without capacity or right, unless nobody has any', () => {
    expect([...greedyQuotas([0, 5, 9], [true, true, false], 4)]).toEqual([0, 4, 0]);
    expect([...greedyQuotas([0, 0, 9, 0], [true, true, false, true], 5)]).toEqual([2, 2, 0, 1]);
    expect([...greedyQuotas([1, 2], [false, false], 3)]).toEqual([0, 0]);
  });
});

describe('reallocateDeadChildren', () => {
  it('moves only dead children, only from too large families to too small ones, as many as it can', () =>
    fc.assert(
      fc.property(families, fc.boolean(), (family, frozen) => {
        const before = family.parent.slice();
        const quotas = reallocateDeadChildren(family, frozen);
        const root = family.capacity.length - 1;
        const sizes = (parent: Uint32Array): number[] =>
          Array.from(family.capacity, (_, p) => parent.filter((q) => q === p).length);
        const [was, is] = [sizes(before), sizes(family.parent)];
        family.parent.forEach((parent, c) => {
          if (parent === before[c]) return;
          expect(family.dead[c]).toBe(true);
          expect(was[before[c]]).toBeGreaterThan(quotas[before[c]]);
          expect(was[parent]).toBeLessThan(quotas[parent]);
          if (frozen) expect([before[c], parent]).not.toContain(root);
        });
        const places = sum(quotas.map((quota, p) => Math.max(0, quota - was[p])));
        const movable = sum(
          was.map((size, p) =>
            Math.min(Math.max(0, size - quotas[p]), before.filter((q, c) => q === p && family.dead[c]).length),
          ),
        );
        expect(family.parent.filter((parent, c) => parent !== before[c])).toHaveLength(Math.min(places, movable));
        for (const [p, quota] of quotas.entries()) if (was[p] < quota) expect(is[p]).toBeLessThanOrEqual(quota);
      }),
    ));

  it('the root gets its share where enough children are dead, and loses none', () =>
    fc.assert(
      fc.property(families, fc.double({ min: 0, max: 1, noNaN: true }), (family, share) => {
        const before = family.parent.slice();
        const root = family.capacity.length - 1;
        fillRoot(family, share, new Random(1));
        const had = before.filter((p) => p === root).length;
        const open = before.filter((p, c) => p !== root && family.dead[c]).length;
        const wanted = Math.max(had, Math.min(Math.ceil(share * before.length), had + open));
        expect(family.parent.filter((p) => p === root)).toHaveLength(wanted);
        family.parent.forEach((p, c) => expect(p === before[c] || (p === root && family.dead[c])).toBe(true));
      }),
    ));

  it('a root reset leaves no dead child under another parent', () =>
    fc.assert(
      fc.property(families, (family) => {
        const before = family.parent.slice();
        attachDeadToRoot(family);
        const root = family.capacity.length - 1;
        family.parent.forEach((p, c) => expect(p).toBe(family.dead[c] ? root : before[c]));
      }),
    ));
});

it('a loss is shared by those that fired and the root', () => {
  const capacity = Float32Array.of(1, 1, 1, 1);
  addCapacity(capacity, (p) => p === 1, 3);
  expect([...capacity]).toEqual([1, 2.5, 1, 2.5]);
});

it('the clock: growing intervals, then the reset, then nothing', () => {
  const schedule = { interval: 2, growth: 1.6, maxInterval: 4, rootReset: 12 };
  let clock: AllocationClock = { interval: 2, sinceReallocation: 0, resetDone: 0 };
  const events: string[] = [];
  for (let completed = 1; completed < 40; completed++) {
    const after = dueAfter(schedule, { ...clock, sinceReallocation: clock.sinceReallocation + 1 }, completed);
    clock = after.clock;
    if (after.due) events.push(`${after.due} ${completed}`);
  }
  expect(events).toEqual(['reallocate 2', 'reallocate 5', 'reallocate 9', 'reset 12']);
});
