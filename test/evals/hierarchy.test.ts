import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { EvalContext } from '../../src/evals/context.ts';
import { evaluateHierarchy } from '../../src/evals/hierarchy.ts';
import { sampleHeldOut } from '../../src/evals/hierarchy/firing-sample.ts';
import type { Metric, Metrics } from '../../src/evals/metric.ts';
import { Forest } from '../../src/forest/forest.ts';
import { shuffledForest } from '../../src/forest/null.ts';
import { context, linearSae, memorySource, values } from './support.ts';

/** Six parents with three children each; latent i is axis i. */
const [PARENTS, CHILDREN, ROWS] = [6, 3, 1500];
const WIDTH = PARENTS * (1 + CHILDREN);
const TRUE_PARENT = Int32Array.from({ length: WIDTH }, (_, i) =>
  i < PARENTS ? -1 : Math.floor((i - PARENTS) / CHILDREN),
);

/** A child is on only if its parent is, and half as strong at most; siblings exclude each other. */
function gatedRows(): Float32Array {
  const random = new Random(7, 'hierarchy test');
  const acts = new Float32Array(ROWS * WIDTH);
  for (let r = 0; r < ROWS; r++) {
    for (let p = 0; p < PARENTS; p++) {
      if (random.uniform() > 0.2 + 0.05 * p) continue;
      acts[r * WIDTH + p] = 2 + random.uniform();
      const child = random.below(CHILDREN + 1);
      if (child < CHILDREN) acts[r * WIDTH + PARENTS + p * CHILDREN + child] = 0.5 + random.uniform() / 2;
    }
  }
  return acts;
}
const acts = gatedRows();
const zeros = (): Int32Array => new Int32Array(ROWS);
const origins = { tokens: zeros(), pos: zeros(), doc: Int32Array.from({ length: ROWS }, (_, r) => Math.floor(r / 9)) };

/** The SAE that reads off the axes. @param order axis of each latent */
function ideal(order: readonly number[] = [...Array(WIDTH).keys()], changes: Partial<EvalContext> = {}): EvalContext {
  const device = new ReferenceDevice();
  const W = new Float32Array(WIDTH * WIDTH);
  order.forEach((axis, latent) => (W[latent * WIDTH + axis] = 1));
  const latentOf = (axis: number): number => (axis === -1 ? -1 : order.indexOf(axis));
  const forest = new Forest(Int32Array.from(order, (axis) => latentOf(TRUE_PARENT[axis])));
  const source = memorySource(acts, WIDTH, origins);
  return context(device, linearSae(device, WIDTH, W, W), source, { forest, batchRows: 256, ...changes });
}

const evaluate = async (of: EvalContext): Promise<Metrics> => (await evaluateHierarchy(of)).metrics;
const numberOf = ({ value }: Metric): number => value ?? NaN;

describe('hierarchy', () => {
  it('says of a perfect gated tree that it is one', async () => {
    const metrics = await evaluate(ideal());
    expect(values(metrics)).toMatchObject({
      pairs: 18,
      p_parent_given_child: 1,
      p_parent_given_child_weighted: 1,
      mcs_binary: 1,
      dominance: 1,
      sibling_iou: 0,
      sibling_iou_tree: 0,
      parent_child_cosine: 0,
      sibling_cosine: 0,
      effective_dimension: 1,
      composition: 0,
    });
    expect(numberOf(metrics.p_child_given_parent)).toBeCloseTo(0.25, 1);
    expect(numberOf(metrics.refinement_frequency)).toBeCloseTo(0.75, 1);
    expect(metrics.refinement_frequency.n).toBe(PARENTS);
    // Child and parent are the only axes that a child's rows share.
    expect(numberOf(metrics.tree_hit_rate)).toBeGreaterThan(0.9);
    expect(numberOf(metrics.residual_alignment)).toBeGreaterThan(0);
    for (const name of ['p_parent_given_child', 'refinement_frequency', 'mcs', 'tree_hit_rate']) {
      const nulls = Object.values(metrics[name].nulls!);
      expect(Object.keys(metrics[name].nulls!)).toEqual(['shuffled', 'frequency_matched']);
      for (const { effect, draws } of nulls) {
        expect(effect, name).toBeGreaterThan(3);
        expect(draws).toBeGreaterThanOrEqual(20);
      }
    }
    // A parent without its child and the other way round: here only the former.
    const mismatches = ROWS * numberOf(metrics.or_hamming);
    const parents = acts.reduce((sum, a, i) => sum + Number(a > 0 && i % WIDTH < PARENTS), 0);
    const children = acts.reduce((sum, a, i) => sum + Number(a > 0 && i % WIDTH >= PARENTS), 0);
    expect(mismatches).toBeCloseTo(parents - children, 6);
    expect(metrics.p_parent_given_child.definition).toContain('167 held-out documents');
    expect(metrics.p_parent_given_child.replicates).toHaveLength(1000);
  });

  it('stays within bounds, with the value inside its interval', async () => {
    const shuffled = shuffledForest(new Forest(TRUE_PARENT), new Random(5));
    for (const forest of [new Forest(TRUE_PARENT), shuffled]) {
      const metrics = await evaluate(ideal(undefined, { forest }));
      for (const [name, { value, low, high }] of Object.entries(metrics)) {
        if (value === null) continue;
        const [least, most] = name === 'pairs' || name.startsWith('or_') ? [0, WIDTH] : [-1, 1 + 1e-9];
        expect(value, name).toBeGreaterThanOrEqual(least);
        expect(value, name).toBeLessThanOrEqual(name.includes('similarity') ? 2 : most);
        expect(low! - 1e-9, name).toBeLessThanOrEqual(value);
        expect(high! + 1e-9, name).toBeGreaterThanOrEqual(value);
      }
    }
  });

  it('does not depend on the order of the latents', async () => {
    const random = new Random(11);
    const order = [...Array(WIDTH).keys()].map((i) => [random.uniform(), i]).toSorted((a, b) => a[0] - b[0]);
    const [own, permuted] = [
      await evaluate(ideal()),
      await evaluate(
        ideal(
          order.map(([, i]) => i),
          {},
        ),
      ),
    ];
    for (const [name, { value, n }] of Object.entries(own)) {
      expect(permuted[name].n, name).toBe(n);
      if (value === null) expect(permuted[name].value, name).toBeNull();
      else expect(permuted[name].value, name).toBeCloseTo(value, 6);
    }
  });

  it('does not depend on the size of the batches', async () => {
    const [one, many] = [await evaluate(ideal()), await evaluate(ideal(undefined, { batchRows: 77 }))];
    expect(values(many)).toEqual(values(one));
    expect(many.mcs.nulls).toEqual(one.mcs.nulls);
    expect(many.mcs.replicates).toEqual(one.mcs.replicates);
  });

  it('finds a shuffled forest at its null', async () => {
    for (const seed of [1, 2, 3]) {
      const forest = shuffledForest(new Forest(TRUE_PARENT), new Random(seed));
      const metrics = await evaluate(ideal(undefined, { forest }));
      for (const name of ['p_parent_given_child', 'p_child_given_parent', 'refinement_frequency', 'tree_hit_rate']) {
        expect(Math.abs(metrics[name].nulls!.shuffled.effect!), `${name} ${seed}`).toBeLessThan(3.5);
      }
    }
  });

  it('gives no number for too few pairs or rows', async () => {
    const none = await evaluate(ideal(undefined, { forest: new Forest(new Int32Array(WIDTH).fill(-1)) }));
    expect(none.pairs.value).toBe(0);
    for (const name of ['p_parent_given_child', 'or_hamming', 'sibling_iou', 'sibling_similarity', 'tree_hit_rate']) {
      expect(none[name].value, name).toBeNull();
      expect(none[name].insufficient, name).toMatch(/^0 .*(5|10) are needed$/);
      expect(none[name].nulls, name).toBeUndefined();
    }
    expect(none.composition.value).toBe(0);
    const few = await evaluate(ideal(undefined, { rows: 40 }));
    expect(few.tree_hit_rate.insufficient).toMatch(/^0 pairs/);
    expect(few.dominance.insufficient).toMatch(/\d of 18 pairs have at least 10 rows with both active/);
  });

  it('counts an entry that adds next to nothing as active, and says what is left without such entries', async () => {
    const device = new ReferenceDevice();
    const W = new Float32Array(WIDTH * WIDTH);
    for (let i = 0; i < WIDTH; i++) W[i * WIDTH + i] = 1;
    // Children of the first three parents write hardly anything.
    const weak = W.map((w, at) => (at / WIDTH >= PARENTS && at / WIDTH < PARENTS + 9 ? w / 100 : w));
    const forest = new Forest(TRUE_PARENT);
    const source = memorySource(acts, WIDTH, origins);
    const metrics = await evaluate(context(device, linearSae(device, WIDTH, W, weak), source, { forest }));
    expect(metrics.p_parent_given_child.n).toBe(18);
    expect(metrics.p_parent_given_child_contributing.n).toBe(9);
    expect(metrics.refinement_frequency.value).toBeGreaterThan(1.5 * metrics.refinement_frequency_contributing.value!);
  });

  it('ends its sample where memory would, and says that its resamples are its own', async () => {
    const { active, units, isCut } = await sampleHeldOut(ideal(), 600);
    expect(isCut).toBe(true);
    expect(active.count).toBeLessThanOrEqual(600);
    expect(active.count).toBeGreaterThan(570);
    expect(units.of).toHaveLength(active.rows);
    expect(units.count).toBe(units.of[active.rows - 1] + 1);
    const short = await sampleHeldOut(ideal(), undefined, 300);
    expect([short.isCut, short.active.rows]).toEqual([true, 300]);
    const whole = await sampleHeldOut(ideal());
    expect([whole.isCut, whole.active.rows]).toEqual([false, ROWS]);
  });
});
