/**
 * The batches of a training: the rows of every source are read once, normalised once for every kind of input that some SAE
 * wants, and uploaded once.
 */
import { normalize, type Normalization } from '../activations/normalization.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device, Tensor } from '../engine/device.ts';

/** What an SAE trains on. */
export interface Feed {
  /** [batch, d], the loaded batch on the device. */
  readonly x: Tensor;
  /** The same on the host. */
  readonly rows: Float32Array;
}

interface Lane {
  readonly normalization: Normalization;
  readonly x: Tensor;
  rows: Float32Array;
  /** Being filled with the next batch. */
  ahead: Float32Array;
}

/** Raw rows of one source, and the lanes that are made of them. */
interface Origin {
  readonly raw: ActivationSource;
  readonly rows: Float32Array;
  /** By their normalisation. */
  readonly lanes: Map<string, Lane>;
}

export class Stream {
  readonly #device: Device;
  readonly #origins = new Map<ActivationSource, Origin>();
  #loaded = -1;
  #reading: { step: number; ready: Promise<void> } | undefined;

  /** @param sources those of one raw source share its rows */
  constructor(device: Device, sources: readonly ActivationSource[], batch: number) {
    this.#device = device;
    for (const source of sources) {
      const raw = rawOf(source);
      const rows = (): Float32Array => new Float32Array(batch * raw.d);
      let origin = this.#origins.get(raw);
      if (!origin) this.#origins.set(raw, (origin = { raw, rows: rows(), lanes: new Map() }));
      const { normalization } = source;
      const key = JSON.stringify(normalization);
      if (origin.lanes.has(key)) continue;
      const x = device.persistent('f32', batch, raw.d);
      origin.lanes.set(key, { normalization, x, rows: rows(), ahead: rows() });
    }
  }

  /** Brings batch `step` onto the device, and starts to read the one after it if that is before `steps`. */
  async load(step: number, steps: number): Promise<void> {
    if (this.#loaded === step) return;
    if (this.#reading?.step !== step) this.#read(step);
    await this.#reading!.ready;
    this.#device.beginStep();
    for (const { lanes } of this.#origins.values()) {
      for (const lane of lanes.values()) {
        [lane.rows, lane.ahead] = [lane.ahead, lane.rows];
        this.#device.write(lane.x, lane.rows);
      }
    }
    this.#loaded = step;
    if (step + 1 < steps) this.#read(step + 1);
  }

  /** The loaded batch as one of the sources hands it out. */
  feed(source: ActivationSource): Feed {
    return this.#origins.get(rawOf(source))!.lanes.get(JSON.stringify(source.normalization))!;
  }

  #read(step: number): void {
    const ready = this.#fill(step);
    // The error is thrown when the batch is asked for, not while nobody listens.
    ready.catch(() => undefined);
    this.#reading = { step, ready };
  }

  async #fill(step: number): Promise<void> {
    for (const { raw, rows, lanes } of this.#origins.values()) {
      await raw.batch(step, rows);
      for (const { normalization, ahead } of lanes.values()) {
        ahead.set(rows);
        normalize(normalization, ahead, raw.d);
      }
    }
  }
}

const rawOf = (source: ActivationSource): ActivationSource => source.raw ?? source;
