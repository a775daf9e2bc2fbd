/**
 * The suite `cost`: what an SAE costs in parameters, FLOPs, time and memory, each also relative to a flat TopK SAE that is as wide as its
 * top level, so that comparisons can be made at equal cost. Both are timed in turn in one process: a busy machine slows down both.
 */
import { normalize } from '../activations/normalization.ts';
import { parseConfig } from '../core/config.ts';
import { countFired, type Codes } from '../core/codes.ts';
import { InputError } from '../core/errors.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { Tape } from '../engine/tape.ts';
import type { Architecture, Cost, Sae, TrainableSae } from '../sae/architecture.ts';
import { architectureNamed } from '../sae/registry.ts';
import type { EvalContext, TrainedHere } from './context.ts';
import { peakRss, releaseSae, StepTimer, timeEncode } from './cost/timing.ts';
import { Bootstrap, metric, type Metric, type Metrics, type SuiteResult } from './metric.ts';

/** What costs are relative to. */
const FLAT = 'topk';
/** Rows that are encoded at once. */
const ENCODE_ROWS = 2048;
/** Timed rounds, and those before them that are not counted. */
const ROUNDS = 15;
const WARM_UP = 3;
/** Batches that training steps take in turn. */
const BATCHES = 4;

/** @throws InputError if the source holds no held-out rows */
export async function evaluateCost(context: EvalContext): Promise<SuiteResult> {
  const { sae, trained } = context;
  const x = await heldOutRows(context);
  const flat = await FlatReference.build(context, x);
  try {
    const counted = trained ? countedCosts(trained, flat) : {};
    const timed = {
      ...(await encodeTimes(context, flat, x)),
      ...(trained ? await stepTimes(context, trained, flat) : {}),
    };
    const memory = count(
      peakRss(),
      'MB',
      'peak resident memory of the process that evaluates, from its start to the end of this suite',
    );
    const unknown = `it is not known how this SAE (${sae.architecture}) was trained: only runs of this program say`;
    const missing = trained ? [] : [...COUNTED, ...COUNTED_RATIOS, 'memory_mb', 'step_ms', 'step_ratio'];
    return {
      metrics: { ...counted, ...timed, peak_rss_mb: memory },
      views: {},
      skipped: Object.fromEntries(missing.map((name) => [name, unknown])),
    };
  } finally {
    flat.release();
  }
}

const COUNTED = ['parameters', 'flops_encode', 'flops_train'];
const COUNTED_RATIOS = COUNTED.map((name) => `${name}_ratio`);

/** Normalised, {@link ENCODE_ROWS} of them: the first ones again and again where there are fewer. */
async function heldOutRows({ source, normalization, sae: { d } }: EvalContext): Promise<Float32Array> {
  const rows = Math.min(ENCODE_ROWS, source.heldOutRows);
  if (rows === 0) {
    throw new InputError('the activations hold no held-out rows to encode', {
      hint: 'harvest more documents, or evaluate on other activations with --acts',
    });
  }
  const x = new Float32Array(rows * d);
  await source.heldOut(0, x);
  normalize(normalization, x, d);
  return Float32Array.from({ length: ENCODE_ROWS * d }, (_, at) => x[at % x.length]);
}

/** A flat SAE of the same top width and top L0, untrained: what it costs does not depend on its weights. */
class FlatReference {
  readonly architecture: Architecture;
  readonly config: Record<string, unknown>;
  readonly sae: TrainableSae;
  readonly what: string;
  readonly #device: Device;

  private constructor(
    device: Device,
    architecture: Architecture,
    config: Record<string, unknown>,
    sae: TrainableSae,
    what: string,
  ) {
    this.#device = device;
    this.architecture = architecture;
    this.config = config;
    this.sae = sae;
    this.what = what;
  }

  static async build({ device, sae, seed, trained }: EvalContext, x: Float32Array): Promise<FlatReference> {
    const codes = await encode(device, sae, x);
    const roots = sae.forest?.roots;
    const width = roots?.length ?? sae.width;
    const l0 = (roots ? firedAmong(codes, roots) : countFired(codes)) / codes.rows;
    const k = Math.min(width, Math.max(1, Math.round(l0)));
    const architecture = architectureNamed(FLAT);
    const config = parseConfig(architecture.schema, { width, k }, 'cost');
    const batch = trained?.batch ?? ENCODE_ROWS;
    const built = architecture.build(config, { device, d: sae.d, seed, batch, steps: trained?.steps ?? 1 });
    built.start(x);
    return new FlatReference(
      device,
      architecture,
      config,
      built,
      `a flat ${FLAT} SAE with width ${width} and k = ${k}`,
    );
  }

  release(): void {
    releaseSae(this.#device, this.sae);
  }
}

async function encode(device: Device, sae: Sae, x: Float32Array): Promise<Codes> {
  device.beginStep();
  const input = device.scratch('f32', x.length / sae.d, sae.d);
  device.write(input, x);
  return readCodes(device, sae.encode(new Tape(device), input));
}

function firedAmong({ rows, rowPtr, index, value }: Codes, latents: ArrayLike<number>): number {
  const among = new Set(Array.from(latents));
  let fired = 0;
  for (let e = rowPtr[0]; e < rowPtr[rows]; e++) if (value[e] !== 0 && among.has(index[e])) fired++;
  return fired;
}

function countedCosts({ sae, config }: TrainedHere, flat: FlatReference): Metrics {
  const own = architectureNamed(sae.architecture).cost(config, sae.d);
  const other = flat.architecture.cost(flat.config, sae.d);
  const costs: Record<string, { of: (cost: Cost) => number; unit: string; definition: string }> = {
    parameters: { of: ({ parameters }) => parameters, unit: 'numbers', definition: 'numbers that are trained' },
    flops_encode: {
      of: ({ encodeFlops }) => encodeFlops,
      unit: 'FLOPs per token',
      definition:
        'multiplications and additions that encode one token: 2 per weight that is touched, selection not counted',
    },
    flops_train: {
      of: trainFlops,
      unit: 'FLOPs per token',
      definition:
        'encode + 4 · decode FLOPs of one token: forward, and backward through active latents only (gradients of the codes, of decoder and ' +
        'of encoder rows cost as much as decoding each); the update of all parameters, once per batch, and further losses not counted',
    },
  };
  const metrics: Metrics = {};
  for (const [name, { of, unit, definition }] of Object.entries(costs)) {
    metrics[name] = count(of(own), unit, definition);
    metrics[`${name}_ratio`] = count(of(own) / of(other), 'ratio', `${definition}; divided by those of ${flat.what}`);
  }
  const bytes = 'weights and both moments of Adam, 12 bytes per parameter, in 10⁶ bytes';
  return { ...metrics, memory_mb: count((12 * own.parameters) / 1e6, 'MB', bytes) };
}

/** For sparse backward passes, as this program has them. */
const trainFlops = ({ encodeFlops, decodeFlops }: Cost): number => encodeFlops + 4 * decodeFlops;

/** A count, so its interval has no width. */
function count(value: number, unit: string, definition: string): Metric {
  return metric(value, value, value, { n: 1, unit, definition });
}

async function encodeTimes(
  { device, sae, seed, onProgress }: EvalContext,
  flat: FlatReference,
  x: Float32Array,
): Promise<Metrics> {
  const input = device.persistent('f32', ENCODE_ROWS, sae.d);
  device.write(input, x);
  try {
    const time = (model: Sae): Promise<number> => timeEncode(device, model, input as Tensor);
    return await inTurn('encode', `encoding ${ENCODE_ROWS} held-out rows`, flat, seed, onProgress, {
      own: () => time(sae),
      flat: () => time(flat.sae),
    });
  } finally {
    device.release(input);
  }
}

/** Of a copy with the weights of the trained model, as if in the middle of its run. */
async function stepTimes(
  { device, source, normalization, seed, onProgress }: EvalContext,
  trained: TrainedHere,
  flat: FlatReference,
): Promise<Metrics> {
  const { sae, config, batch, steps } = trained;
  const rows = Math.min(batch, source.trainRows);
  const batches: Float32Array[] = [];
  for (let i = 0; i < BATCHES; i++) {
    const x = new Float32Array(rows * sae.d);
    await source.batch(i, x);
    normalize(normalization, x, sae.d);
    batches.push(x);
  }
  const copy = architectureNamed(sae.architecture).build(config, { device, d: sae.d, seed, batch, steps });
  await copyInto(device, sae, copy);
  const own = new StepTimer(device, copy, batches, steps >> 1);
  const other = new StepTimer(device, flat.sae, batches, steps >> 1);
  try {
    return await inTurn('step', `one training step on ${rows} rows`, flat, seed, onProgress, {
      own: () => own.step(),
      flat: () => other.step(),
    });
  } finally {
    own.release();
    other.release();
    releaseSae(device, copy);
  }
}

async function copyInto(device: Device, from: TrainableSae, to: TrainableSae): Promise<void> {
  const state: Record<string, Float32Array | Uint32Array> = {};
  for (const [i, { tensor }] of from.parameters.entries()) {
    device.write(to.parameters[i].tensor, (await device.read(tensor)) as ArrayLike<number>);
  }
  for (const [name, tensor] of Object.entries(from.state)) {
    const values = (await device.read(tensor)) as Float32Array | Uint32Array;
    device.write(to.state[name], values);
    state[name] = values;
  }
  to.hostState = { ...from.hostState };
  to.restore?.(state);
}

/** Rounds of both models, one after the other. */
async function inTurn(
  name: string,
  what: string,
  flat: FlatReference,
  seed: number,
  onProgress: EvalContext['onProgress'],
  { own, flat: other }: { own: () => Promise<number>; flat: () => Promise<number> },
): Promise<Metrics> {
  const [times, ratios] = [new Float64Array(ROUNDS), new Float64Array(ROUNDS)];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const [mine, theirs] = [await own(), await other()];
    if (round < 0) continue;
    times[round] = mine;
    ratios[round] = mine / theirs;
    onProgress(`timed rounds of ${name}`, round + 1, ROUNDS);
  }
  const label = `${ROUNDS} rounds`;
  const bootstrap = new Bootstrap({ count: ROUNDS, label }, seed);
  // Rounds of two evaluations have nothing in common: their resamples must not be paired.
  const medianOf = (values: Float64Array, unit: string, definition: string): Metric => {
    const { replicates: _replicates, ...kept } = bootstrap.of((weights) => weightedMedian(values, weights), {
      n: ROUNDS,
      unit,
      definition,
    });
    return kept;
  };
  return {
    [`${name}_ms`]: medianOf(times, 'ms', `milliseconds of ${what} on this machine, median`),
    [`${name}_ratio`]: medianOf(
      ratios,
      'ratio',
      `time of ${what}, divided by the time that ${flat.what} takes right after it, median`,
    ),
  };
}

/** The smallest value with at least half of the weight at or below it. */
function weightedMedian(values: Float64Array, weights: Float64Array): number {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const half = weights.reduce((sum, weight) => sum + weight, 0) / 2;
  let below = 0;
  for (const i of order) if ((below += weights[i]) >= half) return values[i];
  return NaN;
}
