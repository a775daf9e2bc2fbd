import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import type { Codes, LatentSet, Tensor } from '../../src/engine/device.ts';
import type { Kernels } from '../../src/engine/kernels.ts';
import { Bench } from './devices.ts';
import { D, FLOOR, K, Lab, LEVELS, ROWS, SHAPE, WIDTH } from './lab.ts';

/** A use of every kernel; the tensors whose bits are compared. */
const USES: { [K in keyof Kernels]: (kernels: Kernels, lab: Lab) => Tensor[] } = {
  encodeTop: (_, lab) => partsOf(lab.topped()),
  encodeTopAmong: (kernels, lab) => {
    const set = { list: lab.bench.device.scratch('u32', WIDTH), count: lab.bench.device.scratch('u32', 1) };
    kernels.listAtLeast(set, lab.perLatent, 0);
    kernels.encodeTopAmong(lab.codes, lab.x, lab.W, null, FLOOR, K, set);
    return partsOf(lab.codes);
  },
  encodeAtLeast: (_, lab) => partsOf(lab.encoded()),
  topOfCodes: (kernels, lab) => {
    const position = lab.bench.device.scratch('u32', ROWS * K);
    kernels.topOfCodes(lab.top, position, lab.encoded());
    return [...partsOf(lab.top), position];
  },
  topChildren: (kernels, lab) => {
    const [parents, codes] = [lab.topped(), lab.bench.device.scratchCodes(ROWS, WIDTH, K + 5)];
    const only = { counter: lab.perLatent, threshold: -1 };
    const gate = { above: FLOOR, floor: FLOOR, range: { from: 0, to: WIDTH }, roots: null, only };
    kernels.topChildren(codes, parents, parents, lab.families, lab.x, lab.W, null, gate);
    return partsOf(codes);
  },
  keepAtLeast: (kernels, lab) => {
    const { device } = lab.bench;
    const set = (): LatentSet => ({ list: device.scratch('u32', WIDTH), count: device.scratch('u32', 1) });
    const [all, some] = [set(), set()];
    kernels.listAtLeast(all, lab.perLatent, -1);
    kernels.keepAtLeast(some, all, lab.perLatent, 0.5);
    // What lies behind the end of the list is undefined: only the count and a use of the list are compared.
    kernels.encodeTopAmong(lab.codes, lab.x, lab.W, null, FLOOR, K, some);
    return [some.count, ...partsOf(lab.codes)];
  },
  route: (kernels, lab) => {
    const routes = routesOf(kernels, lab);
    return [routes.p, routes.chosen, ...partsOf(routes.codes)];
  },
  routeGradient: (kernels, lab) => {
    const { p, codes } = routesOf(kernels, lab);
    const out = lab.out(ROWS, D);
    kernels.routeGradient(out, p, codes, lab.perRow, lab.row);
    return [out];
  },
  scaleEntries: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.dots(codes);
    kernels.scaleEntries(out, true, codes, codes.value, lab.perRow);
    return [out];
  },
  entryDots: (kernels, lab) => {
    const [out, codes] = [lab.out(ROWS), lab.encoded()];
    kernels.entryDots(out, false, codes, codes.value, lab.dots(codes));
    return [out];
  },
  decode: (kernels, lab) => {
    const [out, codes] = [lab.out(ROWS, D), lab.encoded()];
    kernels.decode(out, codes, codes.value, lab.W, lab.row);
    return [out];
  },
  gatheredDots: (_, lab) => [lab.dots(lab.encoded())],
  indexLatents: (_, lab) => Object.values(lab.indexed(lab.encoded())),
  latentGradient: (kernels, lab) => {
    const [out, codes] = [lab.out(WIDTH, D), lab.encoded()];
    kernels.latentGradient(out, false, codes, lab.indexed(codes), lab.dots(codes), lab.x);
    return [out];
  },
  decodeGradients: (kernels, lab) => {
    const [dW, codes] = [lab.out(WIDTH, D), lab.encoded()];
    const dValue = { tensor: lab.dots(codes), accumulate: true };
    kernels.decodeGradients(
      dValue,
      { tensor: dW, accumulate: false },
      codes,
      lab.indexed(codes),
      codes.value,
      lab.W,
      lab.x,
    );
    return [dValue.tensor, dW];
  },
  dotsByLatent: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.bench.device.scratchLike(codes, 'f32');
    kernels.dotsByLatent(out, codes, lab.indexed(codes), lab.W, lab.x);
    return [out];
  },
  latentSum: (kernels, lab) => {
    const [out, codes] = [lab.out(WIDTH), lab.encoded()];
    kernels.latentSum(out, false, codes, lab.indexed(codes), lab.dots(codes));
    return [out];
  },
  absoluteRowSums: (kernels, lab) => {
    const out = lab.sums(ROWS);
    kernels.absoluteRowSums(out, lab.encoded());
    return [out];
  },
  absoluteGradient: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.dots(codes);
    kernels.absoluteGradient(out, true, codes, 0.3);
    return [out];
  },
  scatterAdd: (kernels, lab) => {
    const codes = lab.encoded();
    const [out, position] = [lab.dots(codes), lab.bench.device.scratch('u32', ROWS * K)];
    kernels.topOfCodes(lab.top, position, codes);
    kernels.scatterAdd(out, lab.top.value, position);
    return [out];
  },
  smallestPositive: (kernels, lab) => {
    const out = lab.sums(ROWS);
    kernels.smallestPositive(out, lab.encoded());
    return [out];
  },
  countSinceFired: (kernels, lab) => {
    const codes = lab.topped();
    kernels.countSinceFired(lab.perLatent, codes, lab.indexed(codes), 3);
    return [lab.perLatent];
  },
  listAtLeast: (kernels, lab) => {
    const set = { list: lab.bench.put('u32', new Uint32Array(WIDTH)), count: lab.bench.put('u32', [0]) };
    kernels.listAtLeast(set, lab.perLatent, 0.5);
    return Object.values(set);
  },
  expertsForward: (_, lab) => Object.values(lab.expertsForward(lab.encoded())),
  expertsBackward: (kernels, lab) => {
    const codes = lab.encoded();
    const forward = lab.expertsForward(codes);
    const dY = lab.bench.device.scratchLike(codes, 'f32', SHAPE.subspace);
    const [dE, dD] = [1, 2].map(() => lab.out(WIDTH, SHAPE.atoms, SHAPE.subspace));
    const saved = { ...forward, dC: forward.c };
    const out = { dY, dE, dD, accumulate: false };
    kernels.expertsBackward(out, codes, lab.indexed(codes), saved, lab.experts, lab.experts, SHAPE, 0.1);
    return [dY, dE, dD];
  },
  gateMagnitudes: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.bench.device.scratchLike(codes, 'f32');
    kernels.gateMagnitudes(out, codes, lab.perLatent, lab.perLatent, lab.perLatent);
    return [out];
  },
  gateGradients: (kernels, lab) => {
    const codes = lab.encoded();
    const gate = { tensor: lab.dots(codes), accumulate: true };
    const [r, gateBias, magnitudeBias] = [1, 2, 3].map(() => ({ tensor: lab.out(WIDTH), accumulate: false }));
    const saved = { magnitude: codes.value, dMagnitude: lab.dots(codes) };
    const out = { gate, r, gateBias, magnitudeBias };
    kernels.gateGradients(out, codes, lab.indexed(codes), saved, lab.perLatent, lab.perLatent);
    return Object.values(out).map(({ tensor }) => tensor);
  },
  joinExperts: (kernels, lab) => {
    const codes = lab.topped();
    const { winner, sub } = lab.expertsForward(codes);
    const joined = lab.bench.device.scratchCodes(ROWS, WIDTH * (1 + SHAPE.atoms), 2 * K);
    kernels.joinExperts(joined, codes, winner, sub, SHAPE.atoms);
    return partsOf(joined);
  },
  joinCodes: (kernels, lab) => {
    const parts = [lab.topped(), lab.encoded()];
    const [fixed, open] = [
      lab.bench.device.scratchCodes(ROWS, 2 * WIDTH, 2 * K),
      lab.bench.device.scratchCodes(ROWS, 3 * WIDTH),
    ];
    kernels.joinCodes(fixed, [parts[0], parts[0]]);
    kernels.joinCodes(open, parts);
    return [...partsOf(fixed), ...partsOf(open)];
  },
  baseGradients: (kernels, lab) => {
    const [below, above] = [lab.topped(), lab.encoded()];
    const V = lab.out(WIDTH, WIDTH);
    kernels.product(V, lab.W, lab.W, 'nt');
    const dBelow = lab.bench.device.scratchLike(below, 'f32');
    const dV = lab.out(WIDTH, WIDTH);
    kernels.baseGradients(
      { tensor: dBelow, accumulate: false },
      { tensor: dV, accumulate: false },
      below,
      lab.indexed(below),
      V,
      above,
      lab.dots(above),
    );
    return [dBelow, dV];
  },
  composedEntries: (kernels, lab) => {
    const codes = lab.topped();
    const base = lab.out(ROWS, WIDTH);
    kernels.product(base, lab.x, lab.W, 'nt');
    const out = { composed: lab.sums(ROWS), active: lab.sums(ROWS) };
    kernels.composedEntries(out, codes, base, lab.perLatent);
    return Object.values(out);
  },
  product: (kernels, lab) => {
    const [nt, nn, tn] = [lab.out(ROWS, WIDTH), lab.out(ROWS, D), lab.out(WIDTH, D)];
    kernels.product(nt, lab.x, lab.W, 'nt');
    kernels.product(nn, nt, lab.W, 'nn');
    kernels.product(tn, nt, lab.x, 'tn');
    return [nt, nn, tn];
  },
  subtractRow: (kernels, lab) => {
    kernels.subtractRow(lab.x, lab.x, lab.row);
    return [lab.x];
  },
  scale: (kernels, lab) => {
    kernels.scale(lab.x, true, lab.x, 0.7);
    return [lab.x];
  },
  clear: (kernels, lab) => {
    kernels.clear(lab.x);
    return [lab.x];
  },
  place: (kernels, lab) => {
    kernels.place(lab.W, 1001, lab.x);
    return [lab.W];
  },
  squaredDifference: (kernels, lab) => {
    const [out, sums, decoded] = [lab.out(ROWS, D), lab.sums(ROWS), lab.out(ROWS, D)];
    kernels.scale(decoded, false, lab.x, 0.3);
    kernels.squaredDifference(out, sums, lab.x, decoded);
    return [out, sums];
  },
  sum: (kernels, lab) => {
    const [sums, total] = [lab.sums(ROWS), lab.sums(1)];
    kernels.squaredDifference(lab.x, sums, lab.x, null);
    kernels.sum(total, sums, 0.1);
    return [total];
  },
  innerProduct: (kernels, lab) => {
    const out = lab.sums(1);
    kernels.innerProduct(out, lab.W, lab.W);
    return [out];
  },
  maximum: (kernels, lab) => {
    const out = lab.sums(1);
    kernels.maximum(out, lab.W);
    return [out];
  },
  divide: (kernels, lab) => {
    const [a, b] = [lab.bench.put('f64', [2]), lab.bench.put('f64', [3])];
    kernels.divide(a, a, b);
    return [a];
  },
  clampedRatio: (kernels, lab) => {
    const [a, b, out] = [lab.sums(1), lab.sums(1), lab.sums(1)];
    kernels.innerProduct(a, lab.x, lab.x);
    kernels.maximum(b, lab.x);
    kernels.clampedRatio(out, a, b, 1e-6, 0, 1e6);
    return [out];
  },
  rootOfSum: (kernels, lab) => {
    const a = lab.bench.put('f64', [2]);
    kernels.rootOfSum(a, [{ term: a, weight: 3 }], 0.7);
    return [a];
  },
  scaleBy: (kernels, lab) => {
    kernels.scaleBy(lab.W, true, lab.W, 2, lab.bench.put('f64', [3]));
    return [lab.W];
  },
  columnSum: (kernels, lab) => {
    const out = lab.out(D);
    kernels.columnSum(out, false, lab.x, lab.perRow, 0.1);
    return [out];
  },
  rowDots: (kernels, lab) => {
    const out = lab.out(ROWS);
    kernels.rowDots(out, lab.x, lab.row);
    return [out];
  },
  scaleRows: (kernels, lab) => {
    kernels.scaleRows(lab.x, true, lab.perRow, lab.row, 0.1);
    return [lab.x];
  },
  standardizeRows: (kernels, lab) => {
    const out = { out: lab.out(ROWS, D), mean: lab.out(ROWS), std: lab.out(ROWS) };
    kernels.standardizeRows(out, lab.x, 1e-5);
    return Object.values(out);
  },
  restoreRows: (kernels, lab) => {
    const out = lab.out(ROWS, D);
    kernels.restoreRows(out, lab.x, lab.perRow, lab.perRow);
    return [out];
  },
  variance: (kernels, lab) => {
    const out = lab.sums(1);
    kernels.variance(out, lab.x, 0);
    return [out];
  },
  encodeBatchTop: (kernels, lab) => {
    kernels.encodeBatchTop(lab.codes, lab.x, lab.W, lab.perLatent, FLOOR, K * ROWS);
    return partsOf(lab.codes);
  },
  leastPositive: (kernels, lab) => {
    const [smallest, out] = [lab.sums(ROWS), lab.sums(1)];
    kernels.smallestPositive(smallest, lab.encoded());
    kernels.leastPositive(out, smallest);
    return [out];
  },
  setSize: (kernels, lab) => {
    const set = { list: lab.bench.device.scratch('u32', WIDTH), count: lab.bench.device.scratch('u32', 1) };
    const out = lab.sums(1);
    kernels.listAtLeast(set, lab.perLatent, 0.5);
    kernels.setSize(out, set);
    return [out];
  },
  normalizeCodes: (_, lab) => Object.values(lab.normalized(lab.topped())),
  normalizeCodesGradient: (kernels, lab) => {
    const codes = lab.topped();
    const saved = lab.normalized(codes);
    const dValue = { tensor: lab.dots(codes), accumulate: true };
    const dOut = lab.out(ROWS, WIDTH);
    kernels.product(dOut, lab.x, lab.W, 'nt');
    kernels.normalizeCodesGradient(dValue, codes, saved, dOut);
    return [dValue.tensor];
  },
  pursue: (_, lab) => {
    const { residual, order, codes } = lab.pursued();
    return [residual, ...partsOf(order), ...partsOf(codes)];
  },
  pursuitGradients: (kernels, lab) => {
    const { residual, order } = lab.pursued();
    const [dInput, from, to] = [lab.out(ROWS, D), 7, 400];
    kernels.scale(dInput, false, lab.x, 1);
    const steps = lab.bench.device.scratchCodes((to - from) * K, WIDTH, 1);
    const changes = lab.out((to - from) * K, D);
    kernels.pursuitGradients({ dInput, changes, steps }, order, lab.W, residual, { from, to });
    return [dInput, changes, ...partsOf(steps)];
  },
  projectRows: (kernels, lab) => {
    const gradient = lab.out(WIDTH, D);
    kernels.scaleRows(gradient, false, lab.perLatent, lab.row, 1);
    const square = lab.sums(1);
    kernels.projectRows(gradient, square, lab.W, 1e-8);
    return [gradient, square];
  },
  normalizeRows: (kernels, lab) => {
    kernels.normalizeRows(lab.W, 1e-8);
    return [lab.W];
  },
  normalizeRowsGradient: (kernels, lab) => {
    const [out, gradient] = [lab.out(WIDTH, D), lab.out(WIDTH, D)];
    kernels.scaleRows(gradient, false, lab.perLatent, lab.row, 1);
    kernels.normalizeRowsGradient(out, false, gradient, lab.W, 1e-8);
    return [out];
  },
  adam: (kernels, lab) => {
    const [m, v, gradient] = [1, 2, 3].map(() => lab.out(WIDTH, D));
    for (const tensor of [m, v]) kernels.clear(tensor);
    kernels.scaleRows(gradient, false, lab.perLatent, lab.row, 1);
    const step = {
      gradientScale: 0.9,
      beta1: 0.9,
      beta2: 0.999,
      stepSize: 0.01,
      correction: 31,
      epsilon: 1e-8,
      decay: 0.99,
      coupledDecay: 0.02,
    };
    kernels.adam(lab.W, gradient, m, v, step, { epsilon: 1e-8 });
    return [lab.W, m, v];
  },
  rowNorms: (kernels, lab) => {
    const out = lab.out(WIDTH);
    kernels.rowNorms(out, lab.W);
    return [out];
  },
  normWeightedSums: (kernels, lab) => {
    const out = lab.sums(ROWS);
    kernels.normWeightedSums(out, lab.encoded(), lab.perLatent, { kind: 'tanh', scale: 0.3 });
    return [out];
  },
  normWeightedGradient: (kernels, lab) => {
    const codes = lab.encoded();
    const [dValue, coefficient] = [lab.dots(codes), lab.bench.device.scratchLike(codes, 'f32')];
    const out = { dValue: { tensor: dValue, accumulate: true }, coefficient };
    kernels.normWeightedGradient(out, codes, lab.perLatent, { kind: 'tanh', scale: 0.3 }, 0.7);
    return [dValue, coefficient];
  },
  liftBias: (kernels, lab) => {
    const out = lab.out(WIDTH);
    kernels.liftBias(out, lab.perLatent, lab.perLatent, 0.3);
    return [out];
  },
  jump: (_, lab) => {
    const { z, value } = lab.jumped();
    return [z, value];
  },
  windowSum: (kernels, lab) => {
    const { codes, window } = lab.jumped();
    const out = lab.out(WIDTH);
    kernels.windowSum({ tensor: out, accumulate: false }, lab.indexed(codes), window, lab.dots(codes), 0.7);
    return [out];
  },
  windowCount: (kernels, lab) => {
    const count = { scale: 0.7, factor: lab.bench.put('f64', [0.3]), inactiveOf: ROWS };
    const { codes, window } = lab.jumped();
    const out = lab.out(WIDTH);
    kernels.windowCount({ tensor: out, accumulate: false }, lab.indexed(codes), window, count);
    return [out];
  },
  countActive: (kernels, lab) => {
    const out = lab.sums(ROWS);
    kernels.countActive(out, lab.jumped().codes, { from: 3, to: WIDTH - 5 });
    return [out];
  },
  squaredExcess: (kernels, lab) => {
    const [excess, square, a] = [lab.sums(1), lab.sums(1), lab.bench.put('f64', [3.5])];
    kernels.squaredExcess({ excess, square }, a, 3);
    return [excess, square];
  },
  thresholdGap: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.bench.device.scratchLike(codes, 'f32');
    kernels.thresholdGap(out, codes, lab.perLatent);
    return [out];
  },
  spreadLatents: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.bench.device.scratchLike(codes, 'f32');
    kernels.spreadLatents(out, codes, lab.perLatent);
    return [out];
  },
  exponential: (kernels, lab) => {
    kernels.exponential(lab.x, lab.x);
    return [lab.x];
  },
  rectify: (kernels, lab) => {
    kernels.rectify(lab.x, lab.x);
    return [lab.x];
  },
  multiply: (kernels, lab) => {
    kernels.multiply(lab.x, true, lab.x, lab.x);
    return [lab.x];
  },
  scaleWhere: (kernels, lab) => {
    kernels.scaleWhere(lab.x, true, lab.x, lab.x, 0.7);
    return [lab.x];
  },
  ghostError: (kernels, lab) => {
    const [gradient, rowSums, ghost] = [lab.out(ROWS, D), lab.sums(ROWS), lab.out(ROWS, D)];
    kernels.scaleRows(ghost, false, lab.perRow, lab.row, 1);
    kernels.ghostError({ gradient, rowSums }, ghost, lab.x);
    return [gradient, rowSums];
  },
  familyResiduals: (_, lab) => {
    const links = lab.levels();
    const { dValue, next, rowSums } = lab.residuals(lab.encoded(), links);
    return [dValue, next, rowSums];
  },
  coActivate: (kernels, lab) => {
    const codes = lab.encoded();
    const out = lab.out(LEVELS.to - LEVELS.split, LEVELS.split - LEVELS.from + 1);
    kernels.clear(out);
    kernels.coActivate(out, codes, lab.indexed(codes), LEVELS, 0.3);
    return [out];
  },
  familyGradient: (kernels, lab) => {
    const links = lab.levels();
    const codes = lab.encoded();
    const { next } = lab.residuals(codes, links);
    const dW = lab.out(WIDTH, D);
    kernels.clear(dW);
    kernels.familyGradient(dW, codes, lab.indexed(codes), next, lab.W, LEVELS, 0.1);
    return [dW];
  },
};

/** The inputs as scores of D experts. */
function routesOf(kernels: Kernels, lab: Lab): { p: Tensor; codes: Codes; chosen: Tensor } {
  const codes = lab.bench.device.scratchCodes(ROWS, D, 1);
  const routes = { p: lab.out(ROWS, D), codes, chosen: lab.out(ROWS) };
  kernels.route(routes, lab.x);
  return routes;
}

const partsOf = (codes: Codes): Tensor[] => [codes.rowPtr, codes.index, codes.value];

/** Digest of the bits that a kernel leaves behind. */
async function digest(bench: Bench, name: keyof Kernels): Promise<string> {
  bench.begin();
  const hash = createHash('sha256');
  for (const tensor of USES[name](bench.kernels, new Lab(bench))) {
    const { buffer, byteLength } = await bench.device.read(tensor);
    expect(byteLength).toBeGreaterThan(0);
    hash.update(new Uint8Array(buffer));
  }
  return hash.digest('hex');
}

describe.each(['auto', 'wasm'] as const)('the bits do not depend on the number of threads (product: %s)', (product) => {
  const benches = [1, 2, 3, 5].map((threads) => ({ threads, bench: new Bench(0) }));
  beforeAll(async () => {
    for (const { threads, bench } of benches) bench.device = await CpuDevice.create({ threads, product });
  });
  afterAll(() => Promise.all(benches.map(({ bench }) => bench.device.close())));

  it.each(Object.keys(USES) as (keyof Kernels)[])('%s', async (name) => {
    const expected = await digest(benches[0].bench, name);
    for (const { bench } of benches) {
      expect(await digest(bench, name)).toBe(expected);
      expect(await digest(bench, name)).toBe(expected);
    }
  });
});
