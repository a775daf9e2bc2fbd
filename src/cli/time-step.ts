/** Measures one training step, its encoder and the dense product on synthetic sparse activations. */
import { Random } from '../core/random.ts';
import { parseConfig } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import { normalize } from '../activations/normalization.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import { encodeTop, RELU } from '../engine/ops/encode.ts';
import { Optimizer } from '../engine/optim.ts';
import { Tape } from '../engine/tape.ts';
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

interface Request {
  arch: string;
  d: number;
  width: number;
  k: number;
  batch: number;
  repeat: number;
  warmup: number;
  threads?: number | undefined;
  product: 'auto' | 'wasm';
}

/** Distinct batches, so that no step sees data that are still in a cache from the step before. */
const BATCHES = 4;

export async function timeStep({ arch, d, width, k, batch, repeat, warmup, threads, product }: Request): Promise<StepTiming> {
  const architecture = architectureNamed(arch);
  const config = parseConfig(architecture.schema, { width, k }, 'bench step');
  const problem = architecture.check?.(config);
  if (problem) throw new ConfigError(problem, { where: 'bench step' });
  const device = await CpuDevice.create(threads === undefined ? { product } : { threads, product });
  try {
    const sae = architecture.build(config, { device, d, seed: 0, batch, steps: 10 * (warmup + repeat) });
    const optimizer = new Optimizer(device, sae.parameters, sae.update);
    const x = device.persistent('f32', batch, d);
    const batches = sparseBatches(batch, d, width, k);
    if (architecture.normalization === 'unit') for (const rows of batches) normalize({ kind: 'unit' }, rows, d);
    sae.start(batches[0]);
    const encoder = { W: sae.parameters[0].tensor, bias: device.persistent('f32', width), center: null, floor: RELU };
    const times = { step: [] as number[], encode: [] as number[], product: [] as number[] };
    for (let i = 0; i < warmup + repeat; i++) {
      device.beginStep();
      device.write(x, batches[i % BATCHES]);
      const step = await clock(() => trainStep(device, sae, optimizer, x, i));
      if (i < warmup) continue;
      times.step.push(step);
      times.encode.push(await clock(async () => {
        device.beginStep();
        encodeTop(new Tape(device), x, encoder, k);
        await device.flush();
      }));
      times.product.push(await clock(async () => {
        device.beginStep();
        device.kernels.score(x, encoder.W);
        await device.flush();
      }));
    }
    const [step_ms, encode_ms, product_ms] = [times.step, times.encode, times.product].map(median);
    return {
      step_ms,
      encode_ms,
      product_ms,
      ratio: step_ms / encode_ms,
      tokens_per_s: Math.round((1000 * batch) / step_ms),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
      threads: device.info.threads,
      device: device.info.product,
    };
  } finally {
    await device.close();
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
