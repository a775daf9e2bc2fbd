/** Steps that cannot be taken, and trainings that go nowhere. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import type { ActivationSource } from '../../src/activations/source.ts';
import { DivergedError } from '../../src/core/errors.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { Device, Tensor } from '../../src/engine/device.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import { architectureNamed } from '../../src/sae/registry.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { Member } from '../../src/training/member.ts';
import { openRun } from '../../src/training/runs.ts';
import { trainStep } from '../../src/training/step.ts';
import { train } from '../../src/training/trainer.ts';
import { tested, tinyOf } from '../sae/tiny.ts';
import { finalState, jsonOf, latestOf, metricsOf, run, SMALL_RUN, sets, temporaryFolder } from './support.ts';

const BATCH = 8;
const names = tested.map(([name]) => name);

/** The toy tree with some batches spoiled. */
class SpoiledSource extends ToyTree {
  readonly #spoil: (index: number, rows: Float32Array) => void;

  constructor(spoil: (index: number, rows: Float32Array) => void, heldOutRows = 40) {
    super(0, { heldOutRows });
    this.#spoil = spoil;
  }

  override async batch(index: number, out: Float32Array): Promise<void> {
    await super.batch(index, out);
    this.#spoil(index, out);
  }
}

function member(
  device: Device,
  arch: string,
  source: ActivationSource,
  settings: Record<string, unknown> = {},
): Member {
  const { config: own } = tinyOf(architectureNamed(arch));
  const raw = { arch, acts: 'synthetic:toy-tree', batch: BATCH, tokens: 20 * BATCH, logEvery: 1, checkpointEvery: 1 };
  const config = resolveConfig({ ...raw, ...own, ...settings }, 'test');
  return new Member(temporaryFolder(), config, source, device, { version: '0', command: [], device: device.info });
}

async function trainOn(source: ActivationSource, arch: string, settings?: Record<string, unknown>): Promise<Member> {
  const device = new ReferenceDevice();
  const one = member(device, arch, source, settings);
  one.begin();
  await train({ device, members: [one], signal: new AbortController().signal, onProgress: () => undefined });
  return one;
}

/** Every number a model and its optimiser hold. */
async function numbersOf(device: Device, tensors: Record<string, Tensor>): Promise<Record<string, number[]>> {
  const numbers: Record<string, number[]> = {};
  for (const [name, tensor] of Object.entries(tensors))
    numbers[name] = [...(await device.read(tensor as Tensor & { dtype: 'f32' }))];
  return numbers;
}

describe.each(names)('%s: a step without a finite loss', (arch) => {
  it.each([NaN, Infinity, 1e30])('is left out and changes nothing: an input of %s', async (value) => {
    const device = new ReferenceDevice();
    const source = new ToyTree(0);
    const { sae, optimizer } = member(device, arch, source);
    const rows = new Float32Array(BATCH * source.d);
    const x = device.persistent('f32', BATCH, source.d);
    const step = async (index: number, spoil: boolean): ReturnType<typeof trainStep> => {
      await source.batch(index, rows);
      if (index === 0) sae.start(rows);
      if (spoil) rows.fill(value, source.d, 2 * source.d);
      device.beginStep();
      device.write(x, rows);
      return trainStep(device, sae, optimizer, x, index);
    };
    const state = async (): Promise<unknown> => ({
      ...(await numbersOf(device, Object.fromEntries(sae.parameters.map(({ name, tensor }) => [name, tensor])))),
      ...(await numbersOf(device, { ...optimizer.state, ...sae.state })),
      host: { ...sae.hostState },
      taken: optimizer.taken,
    });
    for (let i = 0; i < 3; i++) expect(await step(i, false)).toMatchObject({ taken: true });
    if (sae.standardizes && value === 1e30) {
      // A token of equal elements is 0 once it is standardised, whatever its size.
      expect(await step(3, true)).toMatchObject({ taken: true });
      return;
    }
    const before = await state();
    expect(await step(3, true)).toMatchObject({ taken: false });
    expect(await state()).toEqual(before);
    expect(await step(4, false)).toMatchObject({ taken: true });
    expect(await state()).not.toEqual(before);
    expect(optimizer).toBeInstanceOf(Optimizer);
  });

  it('is counted', async () => {
    const spoiled = [4, 5, 19];
    const source = new SpoiledSource((index, rows) => spoiled.includes(index) && rows.fill(NaN, 0, 3));
    const { folder, skippedSteps } = await trainOn(source, arch);
    expect(skippedSteps).toBe(3);
    expect(jsonOf(join(latestOf(folder), 'state.json'))).toMatchObject({ step: 20, adamSteps: 17, skippedSteps: 3 });
    const counts = metricsOf(folder).flatMap(({ validation, skipped_steps }) => (validation ? [] : [skipped_steps]));
    expect(counts).toEqual([0, 0, 0, 0, 1, ...Array<number>(14).fill(2), 3]);
  });
});

describe.each(names)('%s diverges', (arch) => {
  it('when every batch is bad, and keeps what was good', async () => {
    const source = new SpoiledSource((index, rows) => index >= 5 && rows.fill(Infinity));
    const device = new ReferenceDevice();
    const one = member(device, arch, source, { maxBadSteps: 4 });
    one.begin();
    const result = train({ device, members: [one], signal: new AbortController().signal, onProgress: () => undefined });
    await expect(result).rejects.toThrow(DivergedError);
    await expect(result).rejects.toThrow(/diverged: 4 steps in a row without a finite loss and gradient \(step 8: /);
    one.close();
    const opened = openRun(one.folder, new ReferenceDevice());
    expect(opened.step).toBe(5);
  });

  it('when the model itself is no longer finite at a checkpoint', async () => {
    const device = new ReferenceDevice();
    const one = member(device, arch, new ToyTree(0));
    one.begin();
    await one.save(device);
    const before = finalState(one.folder);
    const [{ tensor }] = one.sae.parameters;
    device.write(tensor, [NaN]);
    one.step = 1;
    await expect(one.save(device)).rejects.toThrow(/diverged: \S+ holds values that are not finite/);
    expect(finalState(one.folder)).toEqual(before);
    one.close();
  });

  it('with a learning rate that is a million times too large', async () => {
    const out = join(temporaryFolder(), 'run');
    const { config, explosive } = tinyOf(architectureNamed(arch));
    const own = Object.entries({ ...config, ...explosive }).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    const flags = [
      '--acts',
      'synthetic:toy-tree',
      '--tokens',
      '10k',
      ...SMALL_RUN,
      ...sets('checkpointEvery=1', ...own),
    ];
    const ended = await run('train', '--arch', arch, '--out', out, ...flags);
    expect([ended.code, ended.out]).toEqual([3, '']);
    expect(ended.err.match(/^error: .* diverged: 10 steps in a row/gm)).toHaveLength(1);
    expect(ended.err).toContain('the last good checkpoint is kept');
    expect(ended.err).not.toContain('    at ');
    expect(jsonOf(join(out, 'run.json'))).toMatchObject({ state: 'diverged' });
    const device = new ReferenceDevice();
    const { sae } = openRun(out, device);
    const numbers = await numbersOf(
      device,
      Object.fromEntries(sae.parameters.map(({ name, tensor }) => [name, tensor])),
    );
    expect(Object.values(numbers).flat().every(Number.isFinite)).toBe(true);
  });
});

describe('what is no divergence', () => {
  it.each(names)('%s: batches of one row, which the first step may fit exactly', async (arch) => {
    const { step } = await trainOn(new SpoiledSource(() => undefined), arch, { batch: 1, tokens: 200 });
    expect(step).toBe(200);
  });

  it('nothing held out', async () => {
    const { folder } = await trainOn(new SpoiledSource(() => undefined, 0), 'topk', { validateEvery: 5 });
    expect(metricsOf(folder).filter((line) => 'validation' in line)).toEqual([]);
  });
});
