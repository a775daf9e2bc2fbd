/** Measures one training step, its encoder and the dense product on synthetic sparse activations. */
import { Random } from '../core/random.ts';
import { parseConfig } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import { normalize } from '../activations/normalization.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { encodeTop, RELU, type Encoder } from '../engine/ops/encode.ts';
import { Optimizer } from '../engine/optim.ts';
import { Tape } from '../engine/tape.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { architectureNamed } from '../sae/registry.ts';
import { trainStep } from '../training/step.ts';

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

/** Distinct batches, so that no step sees data that are still in a cache from the step before. */
const BATCHES = 4;

/** Length of the run that is pretended. */
const STEPS = 10_000;

/** A model ready to be timed: one training step, its encoder alone, or the dense product alone. */
export class StepBench {
  readonly info: Device['info'];
  readonly #device: CpuDevice;
  readonly #sae: TrainableSae;
  readonly #optimizer: Optimizer;
  readonly #batches: Float32Array[];
  readonly #x: Tensor;
  readonly #encoder: Encoder;
  readonly #k: number;
  /** Counted from the middle of a run: warm-ups are over, and all parts of a model are in training. */
  #steps = STEPS / 2;

  private constructor(device: CpuDevice, sae: TrainableSae, batches: Float32Array[], k: number) {
    this.info = device.info;
    this.#device = device;
    this.#sae = sae;
    this.#optimizer = new Optimizer(device, sae.parameters, sae.update);
    this.#batches = batches;
    this.#k = k;
    this.#x = device.persistent('f32', batches[0].length / sae.d, sae.d);
    // The first parameter of an architecture is its (top) encoder.
    const W = sae.parameters[0].tensor;
    this.#encoder = { W, bias: device.persistent('f32', W.shape[0]), center: null, floor: RELU };
    sae.start(batches[0]);
  }

  static async create({ arch, d, width, k, batch, threads, product = 'auto' }: BenchShape): Promise<StepBench> {
    const architecture = architectureNamed(arch);
    const config = parseConfig(architecture.schema, architecture.sized?.({ width, k }) ?? { width, k }, 'bench step');
    const problem = architecture.check?.(config);
    if (problem) throw new ConfigError(problem, { where: 'bench step' });
    const device = await CpuDevice.create(threads === undefined ? { product } : { threads, product });
    const sae = architecture.build(config, { device, d, seed: 0, batch, steps: STEPS });
    const batches = sparseBatches(batch, d, width, k);
    if (architecture.normalization === 'unit') for (const rows of batches) normalize({ kind: 'unit' }, rows, d);
    return new StepBench(device, sae, batches, k);
  }

  /** Milliseconds of one training step on the next batch. */
  step(): Promise<number> {
    this.#device.beginStep();
    this.#device.write(this.#x, this.#batches[this.#steps % BATCHES]);
    return clock(() => trainStep(this.#device, this.#sae, this.#optimizer, this.#x, this.#steps++));
  }

  /** Milliseconds of product + bias + floor + top-k of the same batch. */
  encode(): Promise<number> {
    return clock(() => {
      this.#device.beginStep();
      encodeTop(new Tape(this.#device), this.#x, this.#encoder, this.#k);
      return this.#device.flush();
    });
  }

  /** Milliseconds of the float32 product alone, its result dropped where it was computed. */
  product(): Promise<number> {
    return clock(() => {
      this.#device.beginStep();
      this.#device.kernels.score(this.#x, this.#encoder.W);
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
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
      threads: bench.info.threads,
      device: bench.info.product,
    };
  } finally {
    await bench.close();
  }
}

/** Rows that are sums of k of `width` random directions with random strengths, scaled to E‖x‖ ≈ √d. */
function sparseBatches(batch: number, d: number, width: number, k: number): Float32Array[] {
  const random = new Random(0, 'bench');
  const directions = Float32Array.from({ length: Math.min(width, 4096) * d }, () => random.normal() / Math.sqrt(d));
  const count = directions.length / d;
  return Array.from({ length: BATCHES }, () => {
    const rows = new Float32Array(batch * d);
    for (let r = 0; r < batch; r++) {
      for (let i = 0; i < k; i++) {
        const from = random.below(count) * d;
        const strength = Math.sqrt(d / k) * Math.abs(random.normal());
        for (let j = 0; j < d; j++) rows[r * d + j] += strength * directions[from + j];
      }
    }
    return rows;
  });
}

async function clock(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
