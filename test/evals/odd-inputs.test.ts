/** Every suite on SAEs and data at the edge of what is possible: no crash, no made-up number, no dependence on the order of latents. */
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { Random } from '../../src/core/random.ts';
import { InputError } from '../../src/core/errors.ts';
import type { Device, Tensor } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { encodeAtLeast, RELU } from '../../src/engine/ops/encode.ts';
import type { EvalContext } from '../../src/evals/context.ts';
import type { Metric, SuiteResult } from '../../src/evals/metric.ts';
import { suites } from '../../src/evals/suites.ts';
import { Forest } from '../../src/forest/forest.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import type { Sae } from '../../src/sae/architecture.ts';
import { axes, context, dualRows, linearSae, memorySource, perfectSae, sample } from './support.ts';

const device: Device = new ReferenceDevice();
afterAll(() => device.close());

const tree = new ToyTree(3, { roots: 6, leaves: 4, d: 28, heldOutRows: 1200 });
const { d } = tree;
const all = Array.from({ length: tree.features }, (_, j) => j);
const none = all.map(() => -1);

/** Names of metrics that are measured with a clock or say what the process took. */
const MEASURES_MACHINE = /_ms$|^(encode|step)_ratio$|^peak_rss_mb$/;

/** Every latent is on at every row. */
function alwaysOn(): Sae {
  const put = (data: ArrayLike<number>, ...shape: number[]): Tensor => {
    const tensor = device.persistent('f32', ...shape);
    device.write(tensor, data);
    return tensor;
  };
  const encoder = {
    W: put(new Float32Array(d * d), d, d),
    bias: put(new Float32Array(d).fill(1), d),
    center: null,
    floor: RELU,
  };
  return { ...perfectSae(device, tree.directions, d, all), encode: (tape, x) => encodeAtLeast(tape, x, encoder) };
}

function randomSae(width: number, views?: Sae['views']): Sae {
  const random = new Random(5);
  const rows = Float32Array.from({ length: width * d }, () => random.normal() / Math.sqrt(d));
  return linearSae(device, d, rows, rows, undefined, views);
}

const small = new ToyTree(1, { roots: 1, branching: 1, leaves: 0, d: 1, heldOutRows: 300 });
const text = sample(300, 6);
const oneDocument = { ...text.origins, doc: new Int32Array(300) };
const perfect = perfectSae(device, tree.directions, d, all, [...tree.truth.parent]);
const zeros = memorySource(new Float32Array(300 * 6), 6, text.origins);
const axesSae = (): Sae => ({
  ...linearSae(device, 6, axes(6), axes(6)),
  forest: new Forest(new Int32Array(12).fill(-1)),
});

/** Every feature has its latent. */
const inForest = (parent: number[]): EvalContext =>
  context(device, perfectSae(device, tree.directions, d, all, parent), tree);

/** By what is odd about them. */
const ODD: Readonly<Record<string, () => EvalContext>> = {
  'no latent fires': () => context(device, perfectSae(device, tree.directions, d, none), tree),
  'no latent fires, in a forest': () =>
    context(device, perfectSae(device, tree.directions, d, none, [...tree.truth.parent]), tree),
  'no latent fires, but all have directions': () =>
    context(device, linearSae(device, d, new Float32Array(d * d), tree.directions), tree),
  'one latent': () => context(device, perfectSae(device, tree.directions, d, [0]), tree),
  'one latent that never fires': () => context(device, perfectSae(device, tree.directions, d, [-1], [-1]), tree),
  'one alive latent among dead ones': () =>
    context(device, perfectSae(device, tree.directions, d, [0, ...none.slice(1)], [...tree.truth.parent]), tree),
  'a forest without edges': () => inForest(none),
  'a forest that is one chain': () => inForest(all.map((j) => j - 1)),
  'one parent of all': () => inForest(all.map((j) => (j === 0 ? -1 : 0))),
  'every latent is always on': () => context(device, alwaysOn(), tree),
  'every latent is always on, in a forest': () =>
    context(device, { ...alwaysOn(), forest: new Forest(tree.truth.parent) }, tree),
  'all latents are the same': () =>
    context(
      device,
      perfectSae(
        device,
        tree.directions,
        d,
        all.map(() => 0),
        [...tree.truth.parent],
      ),
      tree,
    ),
  'a view without latents': () =>
    context(
      device,
      randomSae(40, [
        { name: 'nothing', from: 0, to: 0 },
        { name: 'one', from: 0, to: 1 },
        { name: 'full', from: 0, to: 40 },
      ]),
      tree,
    ),
  'rows of one number': () => context(device, perfectSae(device, small.directions.subarray(0, 1), 1, [0]), small),
  'one row': () => context(device, perfect, tree, { rows: 1 }),
  'two rows': () => context(device, perfect, tree, { rows: 2 }),
  'fewer rows than a batch': () => context(device, perfect, tree, { rows: 50, batchRows: 4096 }),
  'batches of one row': () => context(device, perfect, tree, { rows: 30, batchRows: 1 }),
  'a document longer than the rows': () =>
    context(device, axesSae(), memorySource(text.acts, 6, oneDocument), { rows: 100 }),
  'rows that are all zero': () => context(device, axesSae(), zeros),
  'rows that are all alike': () => context(device, axesSae(), memorySource(new Float32Array(1800).fill(2), 6)),
};

/** By name, and after the name of its view. */
function metricsOf({ metrics, views }: SuiteResult): [string, Metric][] {
  const ofViews = Object.entries(views).flatMap(([view, of]) =>
    Object.entries(of).map(([name, metric]): [string, Metric] => [`${view}/${name}`, metric]),
  );
  return [...Object.entries(metrics), ...ofViews];
}

/** Rounding of sums in another order. */
const CLOSE = 1e-9;

function check(name: string, { value, low, high, n, unit, definition, nulls = {}, insufficient }: Metric): void {
  for (const [what, number] of Object.entries({ value, low, high })) {
    if (number !== null) expect(Number.isFinite(number), `${what} of ${name}`).toBe(true);
  }
  expect(Number.isFinite(n) && n >= 0, `n of ${name}`).toBe(true);
  expect(unit, name).not.toBe('');
  for (const text of [definition, ...Object.values(nulls).map((beside) => beside.definition)]) {
    expect(text, name).toMatch(/^\S.{15,}[\p{L}\p{N})²%‖]$/u);
    expect(text, name).not.toMatch(/(?<!where )undefined|NaN|Infinity|null\b|\[object| {2}|\n/);
  }
  if (insufficient !== undefined) expect([value, low, high], `${name} is insufficient`).toEqual([null, null, null]);
  if (value === null) expect([low, high], `interval of ${name}, which has no value`).toEqual([null, null]);
  else if (low !== null && high !== null) {
    const slack = CLOSE * (1 + Math.abs(value));
    expect(low, `lower end of ${name}`).toBeLessThanOrEqual(value + slack);
    expect(high, `upper end of ${name}`).toBeGreaterThanOrEqual(value - slack);
  }
  for (const [which, beside] of Object.entries(nulls)) {
    for (const number of [beside.value, beside.low, beside.high, beside.effect]) {
      if (number !== null) expect(Number.isFinite(number), `null ${which} of ${name}`).toBe(true);
    }
  }
}

/** Latents that mix features a little, in an order of one's choice; with the true forest, and a level that stands alone. */
function blurredSae(order: readonly number[]): Sae {
  const random = new Random(4);
  const blur = (rows: ArrayLike<number>): number[] => Array.from(rows, (value) => value + 0.1 * random.normal());
  const [W, W_dec] = [blur(dualRows(tree.directions, tree.features, d)), blur(tree.directions)];
  const pick = (rows: readonly number[]): number[] =>
    order.flatMap((latent) => rows.slice(latent * d, (latent + 1) * d));
  const place = all.map((latent) => order.indexOf(latent));
  const parents = order.map((latent) => (tree.truth.parent[latent] === -1 ? -1 : place[tree.truth.parent[latent]]));
  return { ...linearSae(device, d, pick(W), pick(W_dec)), forest: new Forest(parents) };
}

describe.each(Object.keys(suites))('the suite %s', (suite) => {
  const measure = (of: EvalContext): Promise<SuiteResult> => suites[suite].measure(of);

  it.each(Object.keys(ODD))('where there is: %s', async (odd) => {
    const result = await measure(ODD[odd]());
    expect(Object.keys(result.metrics).length + Object.keys(result.skipped).length).toBeGreaterThan(0);
    for (const [name, metric] of metricsOf(result)) check(name, metric);
    for (const reason of Object.values(result.skipped)) expect(reason).toMatch(/^\S.{10,}\S$/);
  });

  it('says so where nothing was held out, or nothing is there to extract a forest from', async () => {
    const empty = new ToyTree(3, { roots: 6, leaves: 4, d: 28, heldOutRows: 0 });
    const nothingToTrain = context(
      device,
      { ...axesSae(), forest: undefined },
      memorySource(text.acts, 6, text.origins),
    );
    for (const of of [context(device, perfect, empty), nothingToTrain]) {
      const outcome = await measure(of).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(InputError);
      else for (const [name, metric] of metricsOf(outcome as SuiteResult)) check(name, metric);
    }
  });

  it('does not depend on the order of the latents', async () => {
    const own = metricsOf(await measure(context(device, blurredSae(all), tree)));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(all, { minLength: all.length }), async (order) => {
        const permuted = new Map(metricsOf(await measure(context(device, blurredSae(order), tree))));
        expect([...permuted.keys()]).toEqual(own.map(([name]) => name));
        for (const [name, { value, n, insufficient }] of own) {
          if (MEASURES_MACHINE.test(name)) continue;
          const other = permuted.get(name)!;
          expect([other.n, other.insufficient], name).toEqual([n, insufficient]);
          if (value === null) expect(other.value, name).toBeNull();
          else expect(Math.abs(other.value! - value), name).toBeLessThan(1e-5 * (1 + Math.abs(value)));
        }
      }),
      { numRuns: 2, seed: 1 },
    );
  });
});

describe('on the embedded model', async () => {
  const model = await LanguageModel.open(EMBEDDED_MODEL);
  const width = model.info.d;
  const harvested = { model, layer: 1, hook: 'resid_post', bosId: 0, dropped: [0], packed: false };
  const source = memorySource(sample(200, width).acts, width);
  const axis = Float32Array.from({ length: width }, (_, k) => (k === 0 ? 1 : 0));
  const saes: Readonly<Record<string, Sae>> = {
    'no latent fires': linearSae(device, width, new Float32Array(2 * width), new Float32Array(2 * width).fill(1)),
    'one latent': linearSae(device, width, axis, axis, undefined, [
      { name: 'nothing', from: 0, to: 0 },
      { name: 'full', from: 0, to: 1 },
    ]),
  };

  it.each(Object.keys(saes))('the suite languages where there is: %s', async (odd) => {
    const result = await suites.languages.measure(
      context(device, saes[odd], source, { model: harvested, rows: 1500, batchRows: 512 }),
    );
    const metrics = metricsOf(result);
    expect(metrics.length).toBeGreaterThan(2);
    for (const [name, metric] of metrics) check(name, metric);
    // Empty sets have nothing in common, which is not agreement.
    if (odd === 'no latent fires') {
      expect(result.metrics.jaccard_distance.insufficient).toMatch(/^0 comparable aligned tokens/);
    }
  });
});

describe('the suite hierarchy', () => {
  it('fits no probe where no row is left on which a latent is off', async () => {
    const [rows, width] = [8000, 12];
    const random = new Random(7);
    const acts = Float32Array.from({ length: rows * width }, (_, at) => (at < width ? -1 : 1 + random.uniform()));
    const forest = new Forest(Array.from({ length: width }, (_, i) => (i < 6 ? -1 : i - 6)));
    const identity = Float32Array.from({ length: width * width }, (_, at) => (at % (width + 1) === 0 ? 1 : 0));
    const sae = { ...linearSae(device, width, identity, identity), forest };
    const { metrics } = await suites.hierarchy.measure(
      context(device, sae, memorySource(acts, width), { batchRows: 2048 }),
    );
    for (const name of ['tree_hit_rate', 'residual_alignment']) expect(metrics[name].insufficient).toMatch(/^0 pairs/);
    expect(metrics.p_parent_given_child.value).toBe(1);
  });
});
