/** What flat SAEs with a plain rectifier share: f = ReLU(W_enc (x − center) + b_enc), x̂ = W_decᵀ f + b_dec. */
import type { Codes, Tensor } from '../../engine/device.ts';
import { encodeAtLeast, RELU, type Encoder } from '../../engine/ops/encode.ts';
import type { UpdatePlan } from '../../engine/optim.ts';
import type { Tape } from '../../engine/tape.ts';
import type { BuildContext, HostState, TrainableSae, TrainingForward, View } from '../architecture.ts';
import { DeadLatents } from './dead-latents.ts';
import { unitRows } from './initial.ts';

export interface ReluShape {
  width: number;
  /** Whether b_dec is subtracted from the input. */
  centered: boolean;
  /** Whether decoder rows are kept at norm 1. */
  unitDecoder: boolean;
  /** Norms of the initial rows of W_enc and W_dec, which start in the same directions. */
  initialNorms: { encoder: number; decoder: number };
  /** Rows without a positive value after which a latent is dead. */
  deadAfter: number;
}

/**
 * Norms for which x̂ ≈ x at the start, with unit decoder rows: on each side of x lie half of F random directions w, and
 * Σ_{w·x > 0} w (w·x) ≈ (F / 2d) x. Encoder rows of norm 1 would overshoot by that factor, and hundreds of steps would go
 * into undoing it.
 */
export function balancedNorms(width: number, d: number): { encoder: number; decoder: number } {
  return { encoder: Math.min(1, (2 * d) / width), decoder: 1 };
}

export abstract class ReluSae implements TrainableSae {
  abstract readonly architecture: string;
  abstract readonly update: UpdatePlan;
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly outputBias: Tensor;
  readonly forest = undefined;
  readonly parameters;
  hostState: HostState = {};
  protected readonly context: BuildContext;
  protected readonly encoder: Encoder & { bias: Tensor };
  protected readonly W_dec: Tensor;
  protected readonly dead: DeadLatents;

  constructor({ width, centered, unitDecoder, initialNorms, deadAfter }: ReluShape, context: BuildContext) {
    const { device, d, seed } = context;
    this.context = context;
    this.d = d;
    this.width = width;
    this.views = [{ name: 'full', from: 0, to: width }];
    const W_enc = device.persistent('f32', width, d);
    const W_dec = device.persistent('f32', width, d);
    const b_enc = device.persistent('f32', width);
    const b_dec = device.persistent('f32', d);
    const rows = unitRows(width, d, seed, 'W_dec');
    const scaled = (norm: number): Float32Array => rows.map((value) => norm * value);
    device.write(W_dec, scaled(initialNorms.decoder));
    device.write(W_enc, scaled(initialNorms.encoder));
    this.encoder = { W: W_enc, bias: b_enc, center: centered ? b_dec : null, floor: RELU };
    this.W_dec = W_dec;
    this.outputBias = b_dec;
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'b_enc', tensor: b_enc, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: unitDecoder },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
    ];
    this.dead = new DeadLatents(device.persistent('f32', width), deadAfter, { above: 0 });
  }

  get state(): Record<string, Tensor> {
    return { since_active: this.dead.counter };
  }

  start(): void {}

  abstract forward(tape: Tape, x: Tensor, step: number): TrainingForward;

  afterStep(): void {}

  encode(tape: Tape, x: Tensor): Codes {
    return encodeAtLeast(tape, x, this.encoder);
  }

  dictionary(): Tensor {
    return this.W_dec;
  }

  deadFraction(): Promise<number> {
    return this.dead.fraction(this.context);
  }
}
