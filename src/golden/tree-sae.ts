/** Fixtures of the Tree SAE authors' code. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeTree } from '../engine/ops/encode-tree.ts';
import { RELU } from '../engine/ops/encode.ts';
import { standardize } from '../engine/ops/standardize.ts';
import { TreeLayers } from '../sae/parts/tree-layers.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { treeSae } from '../sae/tree-sae.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';
import { runAllocation } from './tree-allocation.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({
  batch: count.min(1),
  d_in: count.min(1),
  features_per_layer: z.array(count.min(1)),
  k_per_layer: z.array(count.min(1)),
});
/** Literals are constants of the library. */
const hyperSchema = z.object({
  dead_steps_threshold: count,
  parent_eligibility_steps: count,
  realloc_interval: count,
  realloc_interval_growth: z.number(),
  max_realloc_interval: count,
  root_reset_step: count.nullable(),
  lr: z.number(),
  auxk_coef: z.number(),
  auxk: count,
  aux_layers: z.array(count),
  dead_threshold: z.literal(1e-3),
  standardize: z.boolean(),
  use_loss_var: z.literal(true),
  root_init_frac: z.number(),
  legacy_allocation_order: z.boolean(),
  optimizer: z.literal('Adam'),
  betas: z.tuple([z.literal(0.9), z.literal(0.999)]),
  eps: z.literal(6.25e-10),
  lr_schedule: z.literal('constant'),
});

const FIRES = 1e-3;
const ROOT = 2 ** 32 - 1;

type Floats = Tensor & { dtype: 'f32' };
type Words = Tensor & { dtype: 'u32' };

class TreeSaeCase implements CaseAdapter {
  readonly parameters = [
    { stored: 'encoder.weight', ours: 'W_enc', transposed: false },
    { stored: 'decoder.weight', ours: 'W_dec', transposed: true },
    { stored: 'b_dec', ours: 'b_dec', transposed: false },
  ];
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }];
  readonly batch: number;
  readonly d: number;
  readonly passStep = 0;
  readonly #fixture: SaeFixture;
  readonly #sizes: z.output<typeof sizesSchema>;
  readonly #hyper: z.output<typeof hyperSchema>;
  /** First latent of every layer, and the end of the last. */
  readonly #starts: readonly number[];
  /** Parents as they were after the step before. */
  #parents: Uint32Array = new Uint32Array();

  constructor(fixture: SaeFixture) {
    this.#fixture = fixture;
    this.#sizes = fixture.parse(sizesSchema, 'sizes');
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
    this.batch = this.#sizes.batch;
    this.d = this.#sizes.d_in;
    const sizes = this.#sizes.features_per_layer;
    this.#starts = [0, ...sizes.map((_, l) => sizes.slice(0, l + 1).reduce((sum, size) => sum + size, 0))];
  }

  /** Ours counts layers from 1. */
  viewTensor(view: string): string {
    return `x_hat_prefix_${Number(view.replace('prefix-', '')) - 1}`;
  }

  build(device: Device): TrainableSae {
    const hyper = this.#hyper;
    const wanted = {
      layers: this.#sizes.features_per_layer,
      k: this.#sizes.k_per_layer,
      lr: hyper.lr,
      standardize: hyper.standardize,
      auxLayers: hyper.aux_layers,
      auxAlpha: hyper.auxk_coef,
      auxK: hyper.auxk,
      deadAfter: hyper.dead_steps_threshold,
      eligibleWithin: hyper.parent_eligibility_steps,
      reallocateAfter: hyper.realloc_interval,
      reallocateGrowth: hyper.realloc_interval_growth,
      reallocateAtMost: hyper.max_realloc_interval,
      rootReset: hyper.root_reset_step ?? 'never',
      rootInitFrac: hyper.root_init_frac,
      legacyAllocationOrder: hyper.legacy_allocation_order,
    };
    const config = parseConfig(treeSae.schema, wanted, this.#fixture.folder);
    const sae = treeSae.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps: 100 });
    const since = this.#layered('state.steps_since_fired_').map((steps) => steps - 1);
    const parent = Uint32Array.from([...Array.from({ length: this.#starts[1] }, () => ROOT), ...this.#storedParents()]);
    const capacities = this.#sizes.features_per_layer.slice(1).map((_, i) => {
      const name = `capacity_${i + 1}`;
      return [name, Float32Array.from(this.#fixture.numbers(`state.${name}`, this.#starts[i + 1] + 1))] as const;
    });
    const state = { steps_since_fired: Float32Array.from(since), parent, ...Object.fromEntries(capacities) };
    for (const [name, values] of Object.entries(state)) device.write(sae.state[name], values);
    sae.restore!(state);
    this.#parents = parent;
    return sae;
  }

  async losses({ losses, total }: Pass): Promise<Named> {
    return this.#terms(losses, total);
  }

  async compare({ device, tape, sae, x, forward }: Pass, report: Report): Promise<void> {
    const fixture = this.#fixture;
    for (const [l] of this.#sizes.features_per_layer.entries()) {
      const name = `state.steps_since_fired_${l}_after_forward`;
      report.compare(name, await this.#since(device, sae, l), fixture.numbers(name), 'exact');
    }
    await this.#compareAuxiliary({ device, tape, sae, x }, report);

    // After the backward pass: unit rows, then the gradient without its part along them.
    const W_dec = parameter(sae, 'W_dec');
    const [unit, gradient] = [device.scratch('f32', ...W_dec.shape), device.scratch('f32', ...W_dec.shape)];
    device.kernels.place(unit, 0, W_dec);
    device.kernels.place(gradient, 0, tape.gradientOf(W_dec)!);
    device.kernels.normalizeRows(unit, 0);
    device.kernels.projectRows(gradient, tape.scalar(), unit, 'raw');
    const hooked = 'grad_after_hook.decoder.weight';
    const projected = await device.read(gradient as Floats);
    report.compare(hooked, projected, fixture.transposed(hooked, projected.length), fixture.tolerance('grad'));

    const whole = fixture.numbers('x_hat_prefix_' + (this.#starts.length - 2));
    const reconstruction = await device.read(forward.reconstruction as Floats);
    report.compare('x_hat, last prefix', reconstruction, whole, fixture.tolerance('forward'));
    const allocation = join(fixture.folder, 'reallocation.json');
    if (existsSync(allocation)) runAllocation(allocation, report);
    else report.skip('reallocation', 'the fixture has no reallocation.json');
  }

  async compareState({ device, sae }: Step, prefix: string, report: Report): Promise<void> {
    const fixture = this.#fixture;
    const parents = await device.read(sae.state.parent as Words);
    for (const [l] of this.#sizes.features_per_layer.entries()) {
      const since = `${prefix}steps_since_fired_${l}`;
      report.compare(since, await this.#since(device, sae, l), fixture.numbers(since), 'exact');
      if (l === 0) continue;
      const [from, to] = [this.#starts[l], this.#starts[l + 1]];
      const parent = `${prefix}param.parent_index_${l}`;
      const ours = Array.from(parents.subarray(from, to), (p) => (p === ROOT ? from : p));
      report.compare(parent, ours, fixture.numbers(parent), 'exact');
      const capacity = `${prefix}capacity_${l}`;
      const stored = await device.read(sae.state[`capacity_${l}`] as Floats);
      report.compare(capacity, stored, fixture.numbers(capacity), fixture.tolerance('after'));
    }
  }

  async log({ device, sae, result }: Step): Promise<Named> {
    const parents = await device.read(sae.state.parent as Words);
    const moved = this.#starts
      .slice(1, -1)
      .map(
        (from, l) => parents.slice(from, this.#starts[l + 2]).filter((p, i) => p !== this.#parents[from + i]).length,
      );
    this.#parents = parents;
    const named: Record<string, number> = { realloc_interval_after: sae.hostState.interval };
    for (const [name, value] of Object.entries(this.#terms(result.losses, result.total)))
      named[`losses.${name}`] = value;
    for (const [i, children] of moved.entries()) named[`moved_children[${i}]`] = children;
    for (const [l, share] of Object.values(await sae.deadParts!()).entries()) named[`dead_fraction[${l}]`] = share;
    return named;
  }

  #terms(losses: Readonly<Record<string, number>>, total: number): Record<string, number> {
    const terms: Record<string, number> = { ...losses, total };
    // The source stores the auxiliary terms weighted, and 0 for layers that have none.
    for (const [l] of this.#sizes.features_per_layer.entries())
      terms[`aux_${l}`] = (losses[`aux_${l}`] ?? 0) * this.#hyper.auxk_coef;
    return terms;
  }

  /** ê of every layer with an auxiliary loss, which training does not keep. */
  async #compareAuxiliary(
    { device, tape, sae, x }: Pick<Pass, 'device' | 'tape' | 'sae' | 'x'>,
    report: Report,
  ): Promise<void> {
    const fixture = this.#fixture;
    const layers = new TreeLayers(device, this.#sizes.features_per_layer, this.#sizes.k_per_layer);
    await device.flush();
    layers.connect(sae.forest!.parent);
    const encoder = { W: parameter(sae, 'W_enc'), bias: null, center: parameter(sae, 'b_dec'), floor: RELU };
    const tokens = this.#hyper.standardize ? standardize(tape, x).rows : x;
    const { among } = encodeTree(tape, tokens, encoder, layers.layers, FIRES);
    for (const l of this.#hyper.aux_layers) {
      const dead = among(l, this.#hyper.auxk, sae.state.steps_since_fired, this.#hyper.dead_steps_threshold - 1);
      const estimate = decode(tape, dead, parameter(sae, 'W_dec'), encoder.center);
      const name = `x_hat_aux_${l}`;
      report.compare(name, await device.read(estimate as Floats), fixture.numbers(name), fixture.tolerance('forward'));
    }
  }

  /** Counters of a layer as the source counts them: 1 for a latent that has just fired. */
  async #since(device: Device, sae: TrainableSae, layer: number): Promise<number[]> {
    const [from, to] = [this.#starts[layer], this.#starts[layer + 1]];
    const counter = await device.read(sae.state.steps_since_fired as Floats, from, to - from);
    return Array.from(counter, (steps) => steps + 1);
  }

  /** Parents of all layers but the first, 2^32 − 1 for the root. */
  #storedParents(): number[] {
    return this.#sizes.features_per_layer.slice(1).flatMap((size, i) => {
      const root = this.#starts[i + 1];
      return Array.from(this.#fixture.numbers(`param.parent_index_${i + 1}`, size), (p) => (p === root ? ROOT : p));
    });
  }

  #layered(name: string): number[] {
    return this.#sizes.features_per_layer.flatMap((size, l) => Array.from(this.#fixture.numbers(`${name}${l}`, size)));
  }
}

function parameter(sae: TrainableSae, name: string): Floats {
  return sae.parameters.find((candidate) => candidate.name === name)!.tensor as Floats;
}

export const treeSaeAdapter: Adapter = { architecture: treeSae.name, open: (fixture) => new TreeSaeCase(fixture) };
