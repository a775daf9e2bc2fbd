/** The batches of a training: read once, normalised once for every kind of input that some SAE wants, uploaded once. */
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

export class Stream {
  readonly #device: Device;
  readonly #raw: ActivationSource;
  readonly #rows: Float32Array;
  readonly #lanes = new Map<string, Lane>();
  #loaded = -1;
  #reading: { step: number; ready: Promise<void> } | undefined;

  /** @param sources all of the same raw rows */
  constructor(device: Device, sources: readonly ActivationSource[], batch: number) {
    this.#device = device;
    this.#raw = rawOf(sources[0]);
    if (sources.some((source) => rawOf(source) !== this.#raw)) throw new RangeError('sources of different rows');
    const rows = (): Float32Array => new Float32Array(batch * this.#raw.d);
    this.#rows = rows();
    for (const { normalization } of sources) {
      const key = JSON.stringify(normalization);
      if (this.#lanes.has(key)) continue;
      const x = device.persistent('f32', batch, this.#raw.d);
      this.#lanes.set(key, { normalization, x, rows: rows(), ahead: rows() });
    }
  }

  /** Brings batch `step` onto the device, and starts to read the one after it if that is before `steps`. */
  async load(step: number, steps: number): Promise<void> {
    if (this.#loaded === step) return;
    if (this.#reading?.step !== step) this.#read(step);
    await this.#reading!.ready;
    this.#device.beginStep();
    for (const lane of this.#lanes.values()) {
      [lane.rows, lane.ahead] = [lane.ahead, lane.rows];
      this.#device.write(lane.x, lane.rows);
    }
    this.#loaded = step;
    if (step + 1 < steps) this.#read(step + 1);
  }

  /** The loaded batch as one of the sources hands it out. */
  feed({ normalization }: ActivationSource): Feed {
    return this.#lanes.get(JSON.stringify(normalization))!;
  }

  #read(step: number): void {
    const ready = this.#fill(step);
    // The error is thrown when the batch is asked for, not while nobody listens.
    ready.catch(() => undefined);
    this.#reading = { step, ready };
  }

  async #fill(step: number): Promise<void> {
    await this.#raw.batch(step, this.#rows);
    for (const { normalization, ahead } of this.#lanes.values()) {
      ahead.set(this.#rows);
      normalize(normalization, ahead, this.#raw.d);
    }
  }
}

const rawOf = (source: ActivationSource): ActivationSource => source.raw ?? source;
