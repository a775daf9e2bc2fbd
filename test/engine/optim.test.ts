import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { clipFactor, Optimizer, type Parameter, type Stage, type UpdatePlan } from '../../src/engine/optim.ts';
import { Tape } from '../../src/engine/tape.ts';
import { onEveryDevice, type Bench } from './devices.ts';
import * as oracle from './oracle.ts';

const [WIDTH, D] = [9, 19];

const plan = (stages: readonly Stage[], over: Partial<UpdatePlan> = {}): UpdatePlan => ({
  stages,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  learningRate: () => 0.01,
  ...over,
});

interface Setup {
  optimizer: Optimizer;
  /** Unit rows W and a vector b. */
  values: { W: number[][]; b: number[] };
  gradient: { W: number[][]; b: number[] };
}

function setup(bench: Bench, update: UpdatePlan, seed = 1): Setup {
  bench.begin();
  const random = new Random(seed);
  const values = { W: oracle.normalMatrix(random, WIDTH, D), b: oracle.normalVector(random, 4) };
  const gradient = { W: oracle.normalMatrix(random, WIDTH, D), b: oracle.normalVector(random, 4) };
  const parameters: Parameter[] = [
    { name: 'W', tensor: bench.matrix(values.W), unitRows: true },
    { name: 'b', tensor: bench.vector(values.b), unitRows: false },
  ];
  const optimizer = new Optimizer(bench.device, parameters, update);
  bench.device.write(optimizer.gradients.W, gradient.W.flat());
  bench.device.write(optimizer.gradients.b, gradient.b);
  return { optimizer, values, gradient };
}

/** Squared norms of the gradients. */
async function squares(bench: Bench, { optimizer }: Setup): Promise<number[]> {
  const parts: number[] = [];
  for (const part of optimizer.prepare(new Tape(bench.device))) parts.push((await bench.read(part, 'f64'))[0]);
  return parts;
}

const normOf = (parts: readonly number[]): number => Math.sqrt(oracle.sum(parts));

async function rowsOf(bench: Bench, tensor: Parameter['tensor']): Promise<number[][]> {
  const flat = [...(await bench.read(tensor, 'f32'))];
  return Array.from({ length: WIDTH }, (_, r) => flat.slice(r * D, r * D + D));
}

onEveryDevice((bench) => {
  it.each<{ stages: Stage[] }>([
    { stages: [{ kind: 'adam' }, { kind: 'renormalize', epsilon: 0 }] },
    { stages: [{ kind: 'adam', renormalize: 0 }] },
  ])('renormalised rows have norm 1, other parameters stay ($stages.length stages)', async ({ stages }) => {
    const s = setup(bench, plan(stages, { learningRate: () => 0 }));
    s.optimizer.apply(0, await squares(bench, s));
    const [W, b] = s.optimizer.parameters;
    for (const row of await rowsOf(bench, W.tensor))
      expect(Math.abs(Math.sqrt(oracle.dot(row, row)) - 1)).toBeLessThan(1e-6);
    expect([...(await bench.read(b.tensor, 'f32'))]).toEqual(s.values.b);
  });

  it.each([0, 1e-6])('a projected gradient has no part along its row (epsilon %s)', async (epsilon) => {
    const s = setup(bench, plan([{ kind: 'project', epsilon }, { kind: 'adam' }]));
    const total = normOf(await squares(bench, s));
    const rows = await rowsOf(bench, s.optimizer.gradients.W);
    rows.forEach((row, i) => expect(Math.abs(oracle.dot(row, s.values.W[i]))).toBeLessThan(2e-5));
    // The norm is that of the projected gradient, and b's gradient is not projected.
    expect([...(await bench.read(s.optimizer.gradients.b, 'f32'))]).toEqual(s.gradient.b);
    const square = oracle.sum([...rows, s.gradient.b].map((row) => oracle.dot(row, row)));
    expect(Math.abs(total - Math.sqrt(square))).toBeLessThan(1e-5);
  });

  it('the first step of Adam moves by the learning rate against the sign of the gradient', async () => {
    const s = setup(bench, plan([{ kind: 'clip', maxNorm: 0.5, style: 'torch' }, { kind: 'adam' }]));
    s.optimizer.apply(0, await squares(bench, s));
    expect(s.optimizer.taken).toBe(1);
    const after = await rowsOf(bench, s.optimizer.parameters[0].tensor);
    after.flat().forEach((value, i) => {
      const expected = s.values.W.flat()[i] - 0.01 * Math.sign(s.gradient.W.flat()[i]);
      expect(Math.abs(value - expected)).toBeLessThan(2e-6);
    });
  });

  it('a parameter that enters later is untouched before, and then takes a first step of Adam', async () => {
    const s = setup(bench, plan([{ kind: 'adam', renormalize: 0 }]));
    const late = s.optimizer.parameters.map((parameter) =>
      parameter.name === 'W' ? { ...parameter, fromStep: 7, unitRows: false } : parameter,
    );
    const optimizer = new Optimizer(bench.device, late, plan([{ kind: 'adam', renormalize: 0 }]));
    bench.device.write(optimizer.gradients.W, s.gradient.W.flat());
    const parts = await squares(bench, { ...s, optimizer });
    for (let step = 0; step < 7; step++) optimizer.apply(step, parts);
    expect(await rowsOf(bench, late[0].tensor)).toEqual(s.values.W);
    expect((await bench.read(optimizer.state['adam_v.W'], 'f32')).every((v) => v === 0)).toBe(true);
    optimizer.apply(7, parts);
    (await rowsOf(bench, late[0].tensor)).flat().forEach((value, i) => {
      const expected = s.values.W.flat()[i] - 0.01 * Math.sign(s.gradient.W.flat()[i]);
      expect(Math.abs(value - expected)).toBeLessThan(2e-6);
    });
  });

  it.each(['torch', 'optax'] as const)('clipping (%s) scales what Adam sees', async (style) => {
    const s = setup(bench, plan([{ kind: 'clip', maxNorm: 0.5, style }, { kind: 'adam' }]));
    const parts = await squares(bench, s);
    const total = normOf(parts);
    s.optimizer.apply(0, parts);
    const moments = [...(await bench.read(s.optimizer.state['adam_m.W'], 'f32'))];
    const factor = 0.1 * clipFactor({ maxNorm: 0.5, style }, total);
    moments.forEach((m, i) => expect(Math.abs(m - factor * s.gradient.W.flat()[i])).toBeLessThan(1e-7));
  });

  it('learning rate 0 moves nothing, but moments are kept', async () => {
    const s = setup(bench, plan([{ kind: 'adam' }], { learningRate: () => 0 }));
    s.optimizer.apply(0, await squares(bench, s));
    expect(await rowsOf(bench, s.optimizer.parameters[0].tensor)).toEqual(s.values.W);
    expect((await bench.read(s.optimizer.state['adam_v.b'], 'f32')).every((v) => v > 0)).toBe(true);
  });

  it('weight decay is decoupled: without a gradient, parameters shrink by 1 − lr · decay', async () => {
    const s = setup(bench, plan([{ kind: 'adam' }], { weightDecay: 0.5 }));
    for (const tensor of Object.values(s.optimizer.gradients)) bench.kernels.clear(tensor);
    s.optimizer.apply(0, await squares(bench, s));
    const after = (await rowsOf(bench, s.optimizer.parameters[0].tensor)).flat();
    after.forEach((value, i) => expect(Math.abs(value - 0.995 * s.values.W.flat()[i])).toBeLessThan(1e-6));
  });

  it('stages run in the order in which they are written', async () => {
    const before = setup(bench, plan([{ kind: 'renormalize', epsilon: 0 }, { kind: 'adam' }]));
    const parts = await squares(bench, before);
    // Nothing but gradients changes before a step is taken.
    expect(await rowsOf(bench, before.optimizer.parameters[0].tensor)).toEqual(before.values.W);
    before.optimizer.apply(0, parts);
    const lengths = (await rowsOf(bench, before.optimizer.parameters[0].tensor)).map((row) => oracle.dot(row, row));
    expect(lengths.some((square) => Math.abs(square - 1) > 1e-3)).toBe(true);
    expect(lengths.every((square) => Math.abs(square - 1) < 0.2)).toBe(true);
  });

  it('renormalizeFirst divides rows by their norm before the forward pass, until the step is abandoned', async () => {
    const s = setup(bench, plan([{ kind: 'adam' }], { renormalizeFirst: 0 }));
    s.optimizer.begin();
    for (const row of await rowsOf(bench, s.optimizer.parameters[0].tensor))
      expect(oracle.dot(row, row)).toBeCloseTo(1, 5);
    s.optimizer.abandon();
    expect(await rowsOf(bench, s.optimizer.parameters[0].tensor)).toEqual(s.values.W);
  });

  it('a raw projection takes the row as it is', async () => {
    const s = setup(bench, plan([{ kind: 'project', epsilon: 'raw' }, { kind: 'adam' }]));
    await squares(bench, s);
    const rows = await rowsOf(bench, s.optimizer.gradients.W);
    rows.forEach((row, i) => {
      const [g, w] = [s.gradient.W[i], s.values.W[i]];
      const along = oracle.dot(g, w);
      row.forEach((value, j) => expect(value).toBeCloseTo(g[j] - along * w[j], 3));
    });
  });

  it('clipping of some parameters leaves the others alone', async () => {
    const s = setup(bench, plan([{ kind: 'clip', maxNorm: 0.5, style: 'torch', only: ['W'] }, { kind: 'adam' }]));
    const parts = await squares(bench, s);
    s.optimizer.apply(0, parts);
    const factor = clipFactor({ maxNorm: 0.5, style: 'torch' }, Math.sqrt(parts[0]));
    const [W, b] = await Promise.all(
      ['adam_m.W', 'adam_m.b'].map((name) => bench.read(s.optimizer.state[name], 'f32')),
    );
    W.forEach((m, i) => expect(m).toBeCloseTo(0.1 * factor * s.gradient.W.flat()[i], 6));
    b.forEach((m, i) => expect(m).toBeCloseTo(0.1 * s.gradient.b[i], 6));
  });

  it('clearMoments forgets the moments of the rows named, and only those', async () => {
    const s = setup(bench, plan([{ kind: 'adam' }]));
    s.optimizer.apply(0, await squares(bench, s));
    await bench.device.flush();
    s.optimizer.clearMoments('W', [2, 5]);
    for (const name of ['adam_m.W', 'adam_v.W']) {
      const rows = await rowsOf(bench, s.optimizer.state[name]);
      rows.forEach((row, i) => expect(row.every((value) => value === 0)).toBe(i === 2 || i === 5));
    }
  });

  it('coupled weight decay is part of the gradient', async () => {
    const s = setup(bench, plan([{ kind: 'adam' }], { weightDecay: 0.5, decayStyle: 'coupled' }));
    s.optimizer.apply(0, await squares(bench, s));
    const moments = await bench.read(s.optimizer.state['adam_m.b'], 'f32');
    moments.forEach((m, i) => expect(m).toBeCloseTo(0.1 * (s.gradient.b[i] + 0.5 * s.values.b[i]), 6));
  });

  it('state is named after the parameters', () => {
    const { optimizer } = setup(bench, plan([{ kind: 'adam' }]));
    expect(Object.keys(optimizer.state)).toEqual(['adam_m.W', 'adam_v.W', 'adam_m.b', 'adam_v.b']);
    expect(Object.keys(optimizer.gradients)).toEqual(['W', 'b']);
  });
});

describe('clipFactor', () => {
  const positive = fc.double({ min: 1e-6, max: 1e6, noNaN: true });

  it.each(['torch', 'optax'] as const)(
    '%s: never grows a gradient, and never leaves it longer than allowed',
    (style) => {
      fc.assert(
        fc.property(positive, positive, (maxNorm, norm) => {
          const factor = clipFactor({ maxNorm, style }, norm);
          expect(factor).toBeGreaterThan(0);
          expect(factor).toBeLessThanOrEqual(1);
          expect(factor * norm).toBeLessThanOrEqual(maxNorm * (1 + 1e-12));
          if (norm < maxNorm - 1e-6) expect(factor).toBe(1);
        }),
      );
    },
  );

  it('torch adds an epsilon to the norm', () => {
    expect(clipFactor({ maxNorm: 1, style: 'torch' }, 1)).toBe(1 / (1 + 1e-6));
    expect(clipFactor({ maxNorm: 1, style: 'optax' }, 1)).toBe(1);
    expect(clipFactor({ maxNorm: 1, style: 'torch' }, 0)).toBe(1);
    expect(clipFactor({ maxNorm: 1, style: 'optax' }, 0)).toBe(1);
  });
});
