import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { architectureNamed, architectures } from '../../src/sae/registry.ts';
import { inInputSpace } from '../../src/sae/reconstructor.ts';
import { trainStep } from '../../src/training/step.ts';
import { build, clustered, difference, floats, passOf, put, reconstruct, train } from './bench.ts';

const [D, ROWS] = [12, 16];

it('names are unique and lead to their architecture', () => {
  const names = architectures.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const architecture of architectures) expect(architectureNamed(architecture.name)).toBe(architecture);
});

it('an unknown name is an error that lists the known ones', () => {
  expect(() => architectureNamed('top-k')).toThrow(/did you mean "topk"\? Known: .*h-sae/);
});

describe.each(architectures.map((architecture) => [architecture.name, architecture] as const))(
  '%s',
  (_, architecture) => {
    const config = architecture.sized?.({ width: 24, k: 3 }) ?? { width: 24, k: 3 };
    const batch = (step: number): Float32Array =>
      clustered(new Random(1, step), ROWS, D, 4, architecture.normalization === 'unit');

    it('has defaults for everything, describes every key, and refuses unknown ones', () => {
      expect(architecture.schema.safeParse({}).success).toBe(true);
      for (const [key, field] of Object.entries(architecture.schema.shape))
        expect((field as { description?: string }).description, key).toBeTruthy();
      expect(architecture.schema.safeParse({ kk: 3 }).success).toBe(false);
    });

    it('trains, and keeps what it declares', async () => {
      const device = new ReferenceDevice();
      const sae = build(device, architecture, config, { d: D, batch: ROWS });
      expect(sae.architecture).toBe(architecture.name);
      expect(sae.views.map(({ name }) => name)).toEqual(architecture.views);
      expect(sae.views.find(({ name }) => name === 'full')).toEqual({ name: 'full', from: 0, to: sae.width });
      expect(sae.forest !== undefined).toBe(architecture.hierarchical);
      if (sae.forest) expect(sae.forest.size).toBe(sae.width);
      const names = [...sae.parameters.map(({ name }) => name), ...Object.keys(sae.state)];
      expect(new Set(names).size).toBe(names.length);

      const before = await Promise.all(sae.parameters.map(({ tensor }) => floats(device, tensor)));
      const totals = await train(device, sae, 4, batch);
      expect(totals.every((total) => Number.isFinite(total))).toBe(true);
      for (const [i, { name, tensor }] of sae.parameters.entries())
        expect(difference(await floats(device, tensor), before[i]), name).toBeGreaterThan(0);
      const dead = await sae.deadFraction();
      expect(dead).toBeGreaterThanOrEqual(0);
      expect(dead).toBeLessThanOrEqual(1);
      expect(Object.values(sae.hostState).every((value) => Number.isFinite(value))).toBe(true);
    });

    it('reconstructs by codes, dictionary and output bias', async () => {
      const device = new ReferenceDevice();
      const sae = build(device, architecture, config, { d: D, batch: ROWS });
      await train(device, sae, 2, batch);
      const x = put(device, batch(7), ROWS, D);
      const { codes, reconstruction } = await passOf(device, sae, x, 2);
      device.beginStep();
      const dictionary = await floats(device, sae.dictionary(new Tape(device)));
      const bias = sae.outputBias ? await floats(device, sae.outputBias) : undefined;
      const made = put(device, reconstruct(codes, dictionary, D, bias), ROWS, D);
      const expected = inInputSpace(new Tape(device), sae, x, made);
      expect(difference(reconstruction, await floats(device, expected))).toBeLessThan(1e-5);
    });

    it('a step that is not taken changes no state', async () => {
      const device = new ReferenceDevice();
      const sae = build(device, architecture, config, { d: D, batch: ROWS });
      await train(device, sae, 1, batch);
      const all = [...sae.parameters.map(({ tensor }) => tensor), ...Object.values(sae.state)];
      // A renormalisation before the forward pass is due in any case: done before, a second one leaves the rows as they are.
      device.beginStep();
      new Optimizer(device, sae.parameters, sae.update).begin();
      const before = await Promise.all(all.map((tensor) => floats(device, tensor)));
      const host = { ...sae.hostState };
      const broken = batch(1);
      broken[0] = NaN;
      const x = put(device, broken, ROWS, D);
      const { taken } = await trainStep(device, sae, new Optimizer(device, sae.parameters, sae.update), x, 1);
      expect(taken).toBe(false);
      for (const [i, tensor] of all.entries())
        expect(difference(await floats(device, tensor), before[i])).toBeLessThan(
          sae.update.renormalizeFirst === undefined ? 1e-30 : 1e-6,
        );
      expect(sae.hostState).toEqual(host);
    });
  },
);
