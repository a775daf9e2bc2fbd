/** Measures one training step, its encoder and the dense product on synthetic sparse activations. */
import { parseConfig } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import { normalize } from '../activations/normalization.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Device } from '../engine/device.ts';
import { encodeTop, RELU, type Encoder } from '../engine/ops/encode.ts';
import { Tape } from '../engine/tape.ts';
import { clock, median, peakRss, sparseBatches, StepTimer } from '../evals/cost/timing.ts';
import { architectureNamed } from '../sae/registry.ts';

export interface StepTiming {
  step_ms: number;
  encode_ms: number;
  product_ms: number;
  /** step / encode */
  ratio: number;
  tokens_per_s: number;
  peak_rss_mb: number;
  threads: number;
  device: string;
}

export interface BenchShape {
  arch: string;
  d: number;
  width: number;
  k: number;
  batch: number;
  threads?: number | undefined;
  product?: 'auto' | 'wasm';
}

/** Distinct batches. */
const BATCHES = 4;

/** Length of the run that is pretended. */
const STEPS = 10_000;

/** A model ready to be timed: one training step, its encoder alone, or the dense product alone. */
export class StepBench {
  readonly info: Device['info'];
  readonly #device: CpuDevice;
  readonly #timer: StepTimer;
  readonly #encoder: Encoder;
  readonly #k: number;

  private constructor(device: CpuDevice, timer: StepTimer, k: number) {
    this.info = device.info;
    this.#device = device;
    this.#timer = timer;
    this.#k = k;
    // The first parameter of an architecture is its (top) encoder.
    const W = timer.sae.parameters[0].tensor;
    this.#encoder = { W, bias: device.persistent('f32', W.shape[0]), center: null, floor: RELU };
  }

  static async create({ arch, d, width, k, batch, threads, product = 'auto' }: BenchShape): Promise<StepBench> {
    const architecture = architectureNamed(arch);
    const config = parseConfig(architecture.schema, architecture.sized?.({ width, k }) ?? { width, k }, 'bench step');
    const problem = architecture.check?.(config);
    if (problem) throw new ConfigError(problem, { where: 'bench step' });
    const device = await CpuDevice.create(threads === undefined ? { product } : { threads, product });
    const sae = architecture.build(config, { device, d, seed: 0, batch, steps: STEPS });
    const batches = sparseBatches(BATCHES, batch, d, width, k);
    if (architecture.normalization === 'unit') for (const rows of batches) normalize({ kind: 'unit' }, rows, d);
    sae.start(batches[0]);
    // In the middle of a run warm-ups are over, and all parts of a model are in training.
    return new StepBench(device, new StepTimer(device, sae, batches, STEPS / 2), k);
  }

  /** Milliseconds of one training step on the next batch. */
  step(): Promise<number> {
    return this.#timer.step();
  }

  /** Milliseconds of product + bias + floor + top-k of the same batch. */
  encode(): Promise<number> {
    return clock(() => {
      this.#device.beginStep();
      encodeTop(new Tape(this.#device), this.#timer.x, this.#encoder, this.#k);
      return this.#device.flush();
    });
  }

  /** Milliseconds of the float32 product alone, its result dropped where it was computed. */
  product(): Promise<number> {
    return clock(() => {
      this.#device.beginStep();
      this.#device.kernels.score(this.#timer.x, this.#encoder.W);
      return this.#device.flush();
    });
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}

export async function timeStep({
  repeat,
  warmup,
  ...shape
}: BenchShape & { repeat: number; warmup: number }): Promise<StepTiming> {
  const bench = await StepBench.create(shape);
  try {
    for (let i = 0; i < warmup; i++) await bench.step();
    const times = { step: [] as number[], encode: [] as number[], product: [] as number[] };
    for (let i = 0; i < repeat; i++) {
      times.step.push(await bench.step());
      times.encode.push(await bench.encode());
      times.product.push(await bench.product());
    }
    const [step_ms, encode_ms, product_ms] = [times.step, times.encode, times.product].map(median);
    return {
      step_ms,
      encode_ms,
      product_ms,
      ratio: step_ms / encode_ms,
      tokens_per_s: Math.round((1000 * shape.batch) / step_ms),
      peak_rss_mb: Math.round(peakRss()),
      threads: bench.info.threads,
      device: bench.info.product,
    };
  } finally {
    await bench.close();
  }
}
