/** What holds for every architecture in the registry, on the tiny models of tiny.ts. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { sizeOf, type Device } from '../../src/engine/device.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { Forest } from '../../src/forest/forest.ts';
import type { Architecture, TrainableSae } from '../../src/sae/architecture.ts';
import { Reconstructor } from '../../src/sae/reconstructor.ts';
import { architectures } from '../../src/sae/registry.ts';
import { trainStep } from '../../src/training/step.ts';
import {
  build,
  clustered,
  difference,
  floats,
  onDevices,
  passOf,
  put,
  reconstruct,
  rowsOf,
  train,
  type Pass,
} from './bench.ts';
import { D, STEPS, tested, tinyOf } from './tiny.ts';

const ROWS = 16;

type Entry = Pass['codes'][number][number];

it('each has a tiny model', () => {
  expect(tested.map(([name]) => name)).toEqual(architectures.map(({ name }) => name));
});

describe.each(tested)('%s', (_, architecture) => {
  const { config, shared } = tinyOf(architecture);
  const parsed = architecture.schema.parse(config);
  const batch = (step: number): Float32Array =>
    clustered(new Random(1, step), ROWS, D, 4, architecture.normalization === 'unit');
  const make = (device: Device): TrainableSae => build(device, architecture, config, { d: D, batch: ROWS });

  it('has defaults for everything, describes every key, and refuses unknown ones', () => {
    expect(architecture.schema.safeParse({}).success).toBe(true);
    for (const [key, field] of Object.entries(architecture.schema.shape))
      expect((field as { description?: string }).description, key).toBeTruthy();
    expect(architecture.schema.safeParse({ noSuchKey: 3 }).success).toBe(false);
  });

  it('its defaults and its tiny model pass its own check', () => {
    expect(architecture.check?.(architecture.schema.parse({}))).toBe(undefined);
    expect(architecture.check?.(parsed)).toBe(undefined);
  });

  it('costs what it says', () => {
    const sae = make(new ReferenceDevice());
    const cost = architecture.cost(parsed, D);
    expect(cost.parameters).toBe(sae.parameters.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0));
    expect(cost.encodeFlops).toBeGreaterThan(0);
    expect(cost.decodeFlops).toBeGreaterThan(0);
    expect(Object.values(cost).every(Number.isFinite)).toBe(true);
  });

  it('trains, and keeps what it declares', async () => {
    const device = new ReferenceDevice();
    const sae = make(device);
    expect(sae.architecture).toBe(architecture.name);
    expect([sae.d, sae.views.map(({ name }) => name)]).toEqual([D, architecture.views]);
    expect(sae.views.find(({ name }) => name === 'full')?.to).toBe(sae.width);
    for (const { from, to } of sae.views) expect(0 <= from && from < to && to <= sae.width).toBe(true);
    const names = [...sae.parameters.map(({ name }) => name), ...Object.keys(sae.state)];
    expect(new Set(names).size).toBe(names.length);

    const before = await parametersOf(device, sae);
    const totals = await train(device, sae, STEPS, batch);
    expect(totals.every((total) => Number.isFinite(total))).toBe(true);
    for (const [name, values] of Object.entries(await parametersOf(device, sae))) {
      expect(values.every(Number.isFinite), name).toBe(true);
      expect(difference(values, before[name]), name).toBeGreaterThan(0);
    }
    expect(Object.keys(sae.state).length === 0 || (await stateOf(device, sae)).every(Number.isFinite)).toBe(true);
    const dead = await sae.deadFraction();
    expect(dead).toBeGreaterThanOrEqual(0);
    expect(dead).toBeLessThanOrEqual(1);
    expect(Object.values(sae.hostState).every((value) => Number.isFinite(value))).toBe(true);
  });

  it('is a forest if it says so, before and after training', async () => {
    const device = new ReferenceDevice();
    const sae = make(device);
    expectForest(sae, architecture);
    await train(device, sae, STEPS, batch);
    expectForest(sae, architecture);
  });

  onDevices((device) => {
    it('lowers the loss', async () => {
      const sae = build(device(), architecture, config, { d: D, batch: ROWS, steps: 300 });
      const seen = batch(1);
      const before = await squaredError(device(), sae, seen);
      await train(device(), sae, 300, (step) => batch(step % 8));
      expect(await squaredError(device(), sae, seen)).toBeLessThan(0.5 * before);
    });
  });

  const reconstructs = shared === 'nothing' ? undefined : it;
  reconstructs?.('reconstructs by codes, dictionary and output bias', async () => {
    const device = new ReferenceDevice();
    const sae = make(device);
    await train(device, sae, 2, batch);
    const x = batch(7);
    const { codes, reconstruction } = await passOf(device, sae, put(device, x, ROWS, D), 2);
    const { dictionary, bias } = await decoderOf(device, sae);
    const expected = inInputSpace(sae, x, reconstruct(codes, dictionary, D, bias));
    expect(difference(reconstruction, expected)).toBeLessThan(1e-5);
  });

  it('encodes rows one by one as in company, and changes nothing by it', async () => {
    const device = new ReferenceDevice();
    const sae = make(device);
    await train(device, sae, STEPS, batch);
    const x = batch(7);
    const before = [await parametersOf(device, sae), await stateOf(device, sae), { ...sae.hostState }];
    const together = await encode(device, sae, x);
    for (const [r, row] of together.entries())
      expect(await encode(device, sae, x.slice(r * D, (r + 1) * D))).toEqual([row]);
    expect(together.flat().some(({ value }) => value !== 0)).toBe(true);
    expect([await parametersOf(device, sae), await stateOf(device, sae), { ...sae.hostState }]).toEqual(before);
    if (shared !== 'codes') return;
    const { codes } = await passOf(device, sae, put(device, x, ROWS, D), STEPS);
    expect(latents(codes.map(fired))).toEqual(latents(together));
    expect(difference(values(codes.map(fired)), values(together))).toBeLessThan(1e-5);
  });

  it('reconstructs every view from its own latents', async () => {
    const device = new ReferenceDevice();
    const sae = make(device);
    await train(device, sae, STEPS, batch);
    const x = batch(7);
    const reconstructor = await Reconstructor.create(device, sae);
    const { views } = await reconstructor.run(x);
    const codes = await encode(device, sae, x);
    const { dictionary, bias } = await decoderOf(device, sae);
    for (const [v, { name, from, to }] of sae.views.entries()) {
      const own = codes.map((entries) => entries.filter(({ latent }) => from <= latent && latent < to));
      const expected = inInputSpace(sae, x, reconstruct(own, dictionary, D, bias));
      expect(difference(views[v], expected), name).toBeLessThan(1e-5);
    }
  });

  it('a step that is not taken changes no state', async () => {
    const device = new ReferenceDevice();
    const sae = make(device);
    await train(device, sae, 1, batch);
    const before = [await parametersOf(device, sae), await stateOf(device, sae), { ...sae.hostState }];
    const broken = batch(1);
    broken[0] = NaN;
    const x = put(device, broken, ROWS, D);
    const { taken } = await trainStep(device, sae, new Optimizer(device, sae.parameters, sae.update), x, 1);
    expect(taken).toBe(false);
    expect([await parametersOf(device, sae), await stateOf(device, sae), { ...sae.hostState }]).toEqual(before);
  });
});

/** The constructor of {@link Forest} refuses cycles; here that all agree about its size and shape. */
function expectForest(sae: TrainableSae, { hierarchical }: Architecture): void {
  expect(sae.forest !== undefined).toBe(hierarchical);
  if (!sae.forest) return;
  const { size, parent, level } = sae.forest;
  expect([size, parent.length, level.length]).toEqual([sae.width, sae.width, sae.width]);
  expect(() => new Forest(parent, level)).not.toThrow();
  expect(level.every((l) => l >= 0)).toBe(true);
}

async function parametersOf(device: Device, sae: TrainableSae): Promise<Record<string, Float32Array>> {
  const entries = sae.parameters.map(async ({ name, tensor }) => [name, await floats(device, tensor)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** Every number of the state, one after the other. */
async function stateOf(device: Device, sae: TrainableSae): Promise<number[]> {
  const all = [];
  for (const tensor of Object.values(sae.state)) all.push(...(await floats(device, tensor)));
  return all;
}

/** Entries of every row that fired, by latent. */
async function encode(device: Device, sae: TrainableSae, x: Float32Array): Promise<Entry[][]> {
  const rows = put(device, x, x.length / D, D);
  device.beginStep();
  return (await rowsOf(device, sae.encode(new Tape(device), rows))).map(fired);
}

const latents = (rows: Entry[][]): number[][] => rows.map((entries) => entries.map(({ latent }) => latent));
const values = (rows: Entry[][]): number[] => rows.flatMap((entries) => entries.map(({ value }) => value));
const fired = (entries: readonly Entry[]): Entry[] => entries.filter(({ value }) => value !== 0);

async function decoderOf(
  device: Device,
  sae: TrainableSae,
): Promise<{ dictionary: Float32Array; bias: Float32Array | undefined }> {
  device.beginStep();
  const dictionary = await floats(device, sae.dictionary(new Tape(device)));
  return { dictionary, bias: sae.outputBias ? await floats(device, sae.outputBias) : undefined };
}

/** The definition of ops/standardize.ts, for models that standardise tokens themselves. */
function inInputSpace(sae: TrainableSae, x: Float32Array, reconstruction: readonly number[]): readonly number[] {
  if (!sae.standardizes) return reconstruction;
  return reconstruction.map((value, i) => {
    const row = x.subarray(i - (i % D), i - (i % D) + D);
    const mean = row.reduce((sum, v) => sum + v, 0) / D;
    const std = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (D - 1));
    return value * std + mean;
  });
}

/** ‖x − x̂‖² of the inference reconstruction. */
async function squaredError(device: Device, sae: TrainableSae, x: Float32Array): Promise<number> {
  const reconstructor = await Reconstructor.create(device, sae);
  const { views } = await reconstructor.run(
    x,
    sae.views.filter(({ name }) => name === 'full'),
  );
  reconstructor.release();
  return x.reduce((sum, value, i) => sum + (value - views[0][i]) ** 2, 0);
}
