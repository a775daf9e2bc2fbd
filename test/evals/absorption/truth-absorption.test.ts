import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ToyTree } from '../../../src/activations/toy-tree.ts';
import { Random } from '../../../src/core/random.ts';
import type { Device } from '../../../src/engine/device.ts';
import { ReferenceDevice } from '../../../src/engine/reference/device.ts';
import { mainByFiring } from '../../../src/evals/absorption/main-latents.ts';
import { evaluateAbsorption } from '../../../src/evals/absorption.ts';
import { toJson } from '../../../src/evals/metric.ts';
import { FiringOverlap } from '../../../src/forest/firing-overlap.ts';
import { Forest } from '../../../src/forest/forest.ts';
import { codesFromDense } from '../../../src/core/codes.ts';
import type { Sae } from '../../../src/sae/architecture.ts';
import { context, linearSae, values } from '../support.ts';

let device: Device;
beforeAll(() => void (device = new ReferenceDevice()));
afterAll(() => device.close());

// Directions are orthogonal, siblings exclude each other.
const tree = new ToyTree(3, { heldOutRows: 4000 });
const { d, directions, features, truth } = tree;

const direction = (feature: number): Float64Array =>
  Float64Array.from(directions.subarray(feature * d, (feature + 1) * d));
const sum = (a: Float64Array, b: Float64Array, factor = 1): Float64Array => a.map((value, j) => value + factor * b[j]);
/** Row whose product with an activation is 1 where the feature is on. */
function detector(feature: number): Float64Array {
  const g = direction(feature);
  const square = g.reduce((total, value) => total + value * value, 0);
  return g.map((value) => value / square);
}

interface Latent {
  readonly encoder: Float64Array;
  readonly decoder: Float64Array;
}

const perfect = (): Latent[] =>
  Array.from({ length: features }, (_, j) => ({ encoder: detector(j), decoder: direction(j) }));

/** Reconstructs as well as the perfect one, but parents are silent where a child is on, whose row holds their direction too. */
function absorbing(): Latent[] {
  const latents = perfect();
  for (const [p, c] of truth.edges()) {
    latents[p] = { ...latents[p], encoder: sum(latents[p].encoder, detector(c), -1) };
    latents[c] = { ...latents[c], decoder: sum(latents[c].decoder, direction(p)) };
  }
  return latents;
}

function saeOf(latents: readonly Latent[], views?: Sae['views']): Sae {
  const rows = (of: keyof Latent): number[] => latents.flatMap((latent) => [...latent[of]]);
  return linearSae(device, d, rows('encoder'), rows('decoder'), undefined, views);
}

const measure = (latents: readonly Latent[], changes = {}, views?: Sae['views']) =>
  evaluateAbsorption(context(device, saeOf(latents, views), tree, { batchRows: 512, ...changes }));

describe('absorption on the toy tree', () => {
  it('of a perfect SAE is none, nothing leaks and nothing is split', async () => {
    const { metrics, skipped } = await measure(perfect());
    expect(metrics.truth_absorption_rate).toMatchObject({ value: 0, low: 0, high: 0, n: 9 });
    expect(metrics.truth_absorption_soft.value).toBeCloseTo(0, 6);
    expect(metrics.truth_decoder_leak.value).toBeCloseTo(0, 6);
    expect(metrics.truth_split_latents.value).toBe(1);
    expect(metrics.truth_parents_found.value).toBe(1);
    // Random latents of equal frequency are off nearly everywhere.
    const { value, draws, effect } = metrics.truth_absorption_rate.nulls!.frequency_matched;
    expect(value).toBeGreaterThan(0.7);
    expect(effect).toBeLessThan(-3);
    expect(draws).toBe(20);
    expect(skipped.absorption_full).toBe('no model in this test');
  });

  it('of one that absorbs is complete, with the parent’s direction in the child’s row', async () => {
    const { metrics } = await measure(absorbing());
    expect(metrics.truth_absorption_rate.value).toBe(1);
    expect(metrics.truth_absorption_soft.value).toBeCloseTo(1, 6);
    expect(metrics.truth_decoder_leak.value).toBeGreaterThan(0.65);
    expect(metrics.truth_decoder_leak.value).toBeLessThan(0.76);
    expect(metrics.truth_parents_found.value).toBe(1);
    // The parent's latent and those of its three children, which tell it as well; the children's rows point halfway elsewhere.
    const split = metrics.truth_split_latents;
    const leaves = features - 12;
    expect(split.n).toBe(3 + leaves);
    expect(split.value! * split.n).toBeCloseTo(leaves + 3 * 4, 9);
  });

  it('in between: a parent that is half as strong beside its children', async () => {
    const latents = perfect();
    for (const [p, c] of truth.edges())
      latents[p] = { ...latents[p], encoder: sum(latents[p].encoder, detector(c), -0.5) };
    const { metrics } = await measure(latents);
    expect(metrics.truth_absorption_rate.value).toBe(0);
    // Its strength without one child is less than 1 as well, because of the other two.
    expect(metrics.truth_absorption_soft.value).toBeGreaterThan(0.25);
    expect(metrics.truth_absorption_soft.value).toBeLessThan(0.5);
  });

  it('depends neither on the batch nor on the order of the latents', async () => {
    const reference = await measure(absorbing());
    for (const batchRows of [100, 2000]) {
      expect(toJson(await measure(absorbing(), { batchRows }))).toEqual(toJson(reference));
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = new Random(seed);
        const order = absorbing()
          .map((latent) => ({ latent, at: random.uniform() }))
          .sort((a, b) => a.at - b.at);
        const { metrics } = await measure(order.map(({ latent }) => latent));
        for (const [name, value] of Object.entries(values(reference.metrics)))
          expect(metrics[name].value).toBeCloseTo(value!, 9);
      }),
      { numRuns: 4 },
    );
  });

  it('is told of every view', async () => {
    const views = [
      { name: 'full', from: 0, to: features },
      { name: 'first', from: 0, to: 5 },
    ];
    const { metrics, views: others } = await measure(perfect(), {}, views);
    expect(metrics.truth_parents_found.value).toBe(1);
    expect(others.first.truth_parents_found.value).toBeCloseTo(2 / 3, 12);
    expect(others.first.truth_absorption_rate).toMatchObject({
      value: null,
      insufficient: 'edges of 2 parents occur and are found, those of 3 are needed',
    });
  });

  it('of an SAE that has found nothing is no number', async () => {
    const random = new Random(8);
    const noise = (): Float64Array => Float64Array.from({ length: d }, () => random.normal());
    const latents = Array.from({ length: 6 }, (): Latent => ({ encoder: noise(), decoder: noise() }));
    const { metrics } = await measure(latents);
    expect(metrics.truth_parents_found.value).toBe(0);
    expect(metrics.truth_absorption_rate).toMatchObject({ value: null, low: null, high: null });
    expect(metrics.truth_absorption_rate.insufficient).toContain('0 parents');
  });
});

describe('main latents by firing', () => {
  // Feature 0 is the parent of 1 and 2; each fires in turn.
  const forest = new Forest([-1, 0, 0]);
  const on = codesFromDense([1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0], 4, 3);

  it('are the best F1, in every range', () => {
    const overlap = new FiringOverlap(4, 3);
    // Latents: none, the parent, the first child, the second.
    overlap.add(codesFromDense([0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], 4, 4), on);
    const ranges = [
      { from: 0, to: 4 },
      { from: 2, to: 4 },
    ];
    const [whole, children] = mainByFiring(overlap, ranges, forest);
    expect([...whole.latent]).toEqual([1, 2, 3]);
    expect([...whole.isFound]).toEqual([1, 1, 1]);
    // Both children tell the parent equally well: the lower one, which is a child's own.
    expect([...children.latent]).toEqual([2, 2, 3]);
    expect([...children.isFound]).toEqual([0, 1, 1]);
    expect([...children.isChildFound]).toEqual([1, 1, 1]);
  });
});
