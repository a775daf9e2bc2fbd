/** Fixtures of the HSAE forest: a reference written from the equations (methods 2), with given masks and links. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { codesToDense } from '../core/codes.ts';
import { parseConfig } from '../core/config.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { maskLatents } from '../engine/ops/mask-latents.ts';
import { NO_PARENT } from '../forest/assignment.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { hsaeForest, type HsaeForest } from '../sae/hsae-forest.ts';
import { followTrajectory } from '../sae/parts/l0-controller.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import { readJson, type SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({ batch: count.min(1), d_in: count.min(1), levels: z.array(count.min(1)).min(1) });
const hyperSchema = z.object({
  rho: z.number().min(0),
  perturbation_rate: z.number().min(0).max(1),
  bandwidth: z.number().positive(),
  lambdas: z.array(z.number().min(0)),
  lr_peak: z.number().positive(),
  total_steps: count.min(1),
  betas: z.tuple([z.literal(0), z.literal(0.995)]),
  eps: z.literal(1e-8),
});
const controllerSchema = z.object({
  cases: z.array(
    z.object({
      kappa: z.number(),
      eta: z.number(),
      ema_momentum: z.number(),
      target_l0: z.number(),
      lambda0: z.number(),
      rows: z.array(z.object({ l0: z.number(), ema: z.number(), lambda: z.number() })),
    }),
  ),
});

type Floats = Tensor & { dtype: 'f32' };

/** The step whose masks are those of the single pass: later than any of the protocol. */
const PASS_STEP = 1000;

class HsaeForestCase implements CaseAdapter {
  readonly parameters: CaseAdapter['parameters'];
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }];
  readonly batch: number;
  readonly d: number;
  readonly passStep = PASS_STEP;
  readonly #fixture: SaeFixture;
  readonly #widths: readonly number[];
  readonly #hyper: z.output<typeof hyperSchema>;

  constructor(fixture: SaeFixture) {
    const { batch, d_in, levels } = fixture.parse(sizesSchema, 'sizes');
    this.#fixture = fixture;
    this.#widths = levels;
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
    this.batch = batch;
    this.d = d_in;
    this.parameters = (['W_enc', 'W_dec', 'log_threshold'] as const).map((name) => ({
      stored: levels.map((_, l) => `level${l}.${name}`),
      ours: name,
      transposed: name === 'W_dec',
    }));
  }

  build(device: Device): TrainableSae {
    const hyper = this.#hyper;
    const wanted = {
      widths: this.#widths,
      targetL0: [1],
      rho: hyper.rho,
      perturbation: hyper.perturbation_rate,
      bandwidth: hyper.bandwidth,
      lr: hyper.lr_peak,
      controller: 'fixed',
      ghosts: false,
      assignEvery: 1_000_000,
    };
    const config = parseConfig(hsaeForest.schema, wanted, this.#fixture.folder);
    const sae = hsaeForest.build(config, {
      device,
      d: this.d,
      seed: 0,
      batch: this.batch,
      steps: hyper.total_steps,
    }) as HsaeForest;
    sae.start = () => {};
    const parents = this.#widths.flatMap((width, l) => {
      if (l === 0) return Array<number>(width).fill(NO_PARENT);
      const above = this.#start(l - 1);
      const links = this.#fixture.numbers(`input.parent_${l}`, width);
      return Array.from(links, (parent) => (parent < 0 ? NO_PARENT : above + parent));
    });
    sae.restore({ parents: Uint32Array.from(parents) });
    for (const [l, lambda] of hyper.lambdas.entries()) sae.hostState[`lambda_${l + 1}`] = lambda;
    sae.swapsOf = (step) => this.#swaps(step === PASS_STEP ? 'input' : `batch${step}`);
    return sae;
  }

  async losses({ device, tape, losses, total, forward, sae, x }: Pass): Promise<Named> {
    const unperturbed: number[] = [];
    for (const range of this.#ranges) {
      const reconstruction = decode(tape, forward.codes, sae.dictionary(tape), null, { range });
      unperturbed.push((await device.read(squaredError(tape, reconstruction, x)))[0]);
    }
    const l0 = this.#each(losses, 'l0');
    return {
      recon_perturbed: this.#each(losses, 'l2'),
      recon_unperturbed: unperturbed,
      l0,
      l0_penalty: l0.map((value, l) => value * forward.losses[`l0_${l + 1}`].weight),
      parent_child: this.#each(losses, 'family'),
      total,
    };
  }

  async compare(pass: Pass, report: Report): Promise<void> {
    const { device, tape, sae, forward, gradients } = pass;
    const fixture = this.#fixture;
    const tolerance = fixture.tolerance('forward');
    const W_dec = sae.dictionary(tape);
    const dense = codesToDense(await readCodes(device, forward.codes));
    const factors = this.#factors(sae as HsaeForest);
    await device.flush();
    const masks = [factors.keep, factors.take].map((values) => {
      const tensor = device.scratch('f32', sae.width);
      device.write(tensor, values);
      return tensor;
    });
    const [keep, take] = masks.map((mask) => maskLatents(tape, forward.codes, mask));
    for (const [l, range] of this.#ranges.entries()) {
      const codes = dense.filter((_, e) => range.from <= e % sae.width && e % sae.width < range.to);
      report.compare(`code_${l}`, codes, fixture.numbers(`code_${l}`), tolerance);
      const alone = decode(tape, forward.codes, W_dec, null, { range });
      const name = `x_hat_${l}`;
      report.compare(name, await device.read(alone as Floats), fixture.numbers(name), tolerance);
      const kept = decode(tape, forward.codes, W_dec, null, { ...keep, range });
      const below = this.#ranges[l + 1];
      const swapped = below ? decode(tape, forward.codes, W_dec, kept, { ...take, range: below }) : kept;
      const perturbed = `x_hat_perturbed_${l}`;
      report.compare(perturbed, await device.read(swapped as Floats), fixture.numbers(perturbed), tolerance);
      const scores = `pre_activation_${l}`;
      report.compare(scores, await this.#scores(pass, range), fixture.numbers(scores), tolerance);
    }
    const logs = await device.read(gradients.log_threshold as Floats);
    const thresholds = (await device.read(sae.parameters[2].tensor as Floats)).map((log) => Math.exp(log));
    const plain = this.#stored((l) => `grad.level${l}.threshold`);
    report.compare(
      'grad.level*.threshold',
      logs.map((gradient, i) => gradient / thresholds[i]),
      plain,
      fixture.tolerance('grad'),
    );
    await this.#compareAssignment(sae as HsaeForest, device, report);
    this.#compareController(report);
  }

  async compareState(): Promise<void> {}

  async log({ result: { losses, total, learningRate } }: Step): Promise<Named> {
    return {
      learning_rate: learningRate,
      total,
      l0: this.#each(losses, 'l0'),
      parent_child: this.#each(losses, 'family'),
    };
  }

  async #compareAssignment(sae: HsaeForest, device: Device, report: Report): Promise<void> {
    await device.flush();
    const nearest = await sae.nearest();
    for (const [l, { similarity }] of nearest.entries()) {
      const name = `assignment.max_cosine_${l + 1}`;
      report.compare(name, similarity, this.#fixture.numbers(name), this.#fixture.tolerance('forward'));
    }
    await sae.assign();
    for (const l of nearest.keys()) {
      const name = `input.parent_${l + 1}`;
      const { from, to } = this.#ranges[l + 1];
      const parents = sae.forest.parent.subarray(from, to).map((parent) => (parent < 0 ? -1 : parent - this.#start(l)));
      report.compare(`${name}, by assign()`, parents, this.#fixture.numbers(name), 'exact');
    }
  }

  #compareController(report: Report): void {
    const path = join(this.#fixture.folder, 'controller.json');
    if (!existsSync(path)) return;
    for (const [c, { rows, ...rule }] of readJson(path, controllerSchema).cases.entries()) {
      const { target_l0: targetL0, eta: rate, ema_momentum: momentum, kappa: step, lambda0 } = rule;
      let state = { lambda: lambda0, lambdaStart: lambda0, ema: -1 };
      const states = rows.map(({ l0 }) => (state = followTrajectory(state, l0, { targetL0, rate, momentum, step })));
      for (const name of ['ema', 'lambda'] as const) {
        const [ours, theirs] = [states, rows].map((list) => list.map((entry) => entry[name]));
        report.compare(`controller.json, case ${c}: ${name}`, ours, theirs, { rel: 1e-12 });
      }
    }
  }

  /** Scores of a level on the host: training keeps those in the window only. */
  async #scores({ device, sae, x }: Pass, { from, to }: { from: number; to: number }): Promise<Float32Array> {
    const [W, rows] = [await device.read(sae.parameters[0].tensor as Floats), await device.read(x as Floats)];
    const width = to - from;
    return Float32Array.from({ length: this.batch * width }, (_, e) => {
      const [r, i] = [Math.floor(e / width), from + (e % width)];
      let z = 0;
      for (let p = 0; p < this.d; p++) z += W[i * this.d + p] * rows[r * this.d + p];
      return z;
    });
  }

  #factors({ forest }: HsaeForest): { keep: Float32Array; take: Float32Array } {
    const swaps = this.#swaps('input');
    const replaced = (i: number): boolean => swaps[i] !== 0 && forest.children(i).length > 0;
    return {
      keep: Float32Array.from(swaps, (_, i) => Number(!replaced(i))),
      take: Float32Array.from(swaps, (_, i) => Number(forest.parent[i] >= 0 && replaced(forest.parent[i]))),
    };
  }

  #swaps(prefix: string): number[] {
    return this.#stored((l) => `${prefix}.swap_${l}`);
  }

  /** What the fixture has for each level, one after the other. */
  #stored(name: (level: number) => string): number[] {
    return this.#widths.flatMap((width, l) => [...this.#fixture.numbers(name(l), width)]);
  }

  /** Losses of one kind in the order of the levels. */
  #each(losses: Readonly<Record<string, number>>, kind: string): number[] {
    return this.#widths.map((_, l) => losses[`${kind}_${l + 1}`]).filter((value) => value !== undefined);
  }

  #start(level: number): number {
    return this.#widths.slice(0, level).reduce((sum, width) => sum + width, 0);
  }

  get #ranges(): { from: number; to: number }[] {
    return this.#widths.map((width, l) => ({ from: this.#start(l), to: this.#start(l) + width }));
  }
}

export const hsaeForestAdapter: Adapter = {
  architecture: hsaeForest.name,
  open: (fixture) => new HsaeForestCase(fixture),
};
