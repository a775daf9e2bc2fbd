/**
 * Where the claims are tested: activations, trained SAEs and their measurements, each made once and kept in a folder, so that a ledger
 * that was stopped goes on and claims share what they need.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ActivationSource } from '../activations/source.ts';
import { MANIFEST_FILE, readManifest } from '../activations/manifest.ts';
import { InterruptedError } from '../core/errors.ts';
import { BusyError } from '../core/lock.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Device } from '../engine/device.ts';
import { withRunContext, type Measured } from '../evals/run-context.ts';
import { readResult, writeResult } from '../evals/result-files.ts';
import type { EvalContext } from '../evals/context.ts';
import type { Metric, SuiteResult } from '../evals/metric.ts';
import { evaluateFamilies } from '../evals/hierarchy.ts';
import { suites, type Suite } from '../evals/suites.ts';
import { harvest } from '../lm/harvest.ts';
import { resolveConfig, type RunConfig } from '../training/config.ts';
import { trainGroup, type Plan } from '../training/group.ts';
import type { OpenRun } from '../training/runs.ts';
import { openSource } from '../training/sources.ts';
import { scales, type DataName, type DataSize, type Scale, type ScaleName } from './scales.ts';
import { describe, isTrained, nameOf, type Spec, type TrainedRun } from './spec.ts';

/** A language model and its text, for W and S. */
export interface TextSource {
  readonly model: string;
  readonly text: readonly string[];
  /** Block after which activations are read, where a claim does not say. */
  readonly layer: number;
}

export interface LabOptions {
  readonly folder: string;
  readonly scale: ScaleName;
  /** S is left out where its model is not given. */
  readonly texts: Readonly<Partial<Record<DataName, TextSource>>>;
  /** Folder of labelled texts, for suites that need them. */
  readonly labelled?: string;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

/** Validation and checkpoints while training cost time and decide nothing. */
const TRAINING = { logEvery: 50, validateEvery: 1e9, checkpointEvery: 1e9, keepCheckpoints: 1 };
/** Those of `eval`, and `families`: `hierarchy` without its probes, which take most of the time. */
const SUITES: Readonly<Record<string, Pick<Suite, 'measure'>>> = { ...suites, families: { measure: evaluateFamilies } };
/** Suites whose tasks depend on the labelled texts. */
const READ_LABELS = new Set(['probing', 'languages']);
/** SAEs that are trained together on one stream, at most: memory against reading, or generating, the data again. */
const GROUP: Readonly<Record<DataName, number>> = { W: 4, S: 4, B: 16, N: 16 };

export class Lab {
  readonly scale: Scale;
  readonly scaleName: ScaleName;
  readonly labelled: string | undefined;
  readonly #folder: string;
  readonly #texts: Map<string, TextSource>;
  readonly #signal: AbortSignal;
  readonly #note: (line: string) => void;
  readonly #leftOut = new Set<DataName>();

  constructor({ folder, scale, texts, labelled, signal, note }: LabOptions) {
    this.scaleName = scale;
    this.scale = scales[scale];
    this.labelled = labelled;
    this.#folder = folder;
    this.#texts = new Map(Object.entries(texts));
    this.#signal = signal;
    this.#note = note;
  }

  size(data: DataName): DataSize {
    return this.scale.data[data];
  }

  /** Those of the data that there are; the others are remembered. */
  available<D extends DataName>(...wanted: D[]): D[] {
    return wanted.filter((data) => {
      const isThere = data === 'B' || data === 'N' || this.#texts.has(data);
      if (!isThere) this.#leftOut.add(data);
      return isThere;
    });
  }

  /** Which data were asked for in vain since the last time that this was asked: a result has to say so. */
  takeLeftOut(): DataName[] {
    const leftOut = [...this.#leftOut].sort();
    this.#leftOut.clear();
    return leftOut;
  }

  /** Width of an activation. */
  async width(data: DataName): Promise<number> {
    return this.withActivations(data, 0, ({ d }) => Promise.resolve(d));
  }

  /** Raw activations, for a training that a claim does itself. */
  async withActivations<T>(data: DataName, seed: number, use: (source: ActivationSource) => Promise<T>): Promise<T> {
    this.#checkInterrupted();
    const config = await this.#config({ data, arch: 'topk' }, seed);
    const source = await openSource(config.common, { kind: 'none' });
    try {
      return await use(source);
    } finally {
      await source.close();
    }
  }

  /** Trains what is not there yet; specs of one stream are trained together. @returns by spec, one run per seed */
  async train(specs: readonly Spec[]): Promise<TrainedRun[][]> {
    const all = specs.map((spec) => this.#runsOf(spec));
    const missing = new Map<string, { run: TrainedRun; config: RunConfig }>();
    for (const run of all.flat()) {
      const config = await this.#config(run.spec, run.seed);
      if (!isTrained(run.folder, config)) missing.set(run.folder, { run, config });
    }
    const streams = new Map<string, { run: TrainedRun; config: RunConfig }[]>();
    for (const one of missing.values()) {
      const { acts, seed, tokens, batch } = one.config.common;
      const stream = JSON.stringify([acts, seed, tokens, batch]);
      streams.set(stream, [...(streams.get(stream) ?? []), one]);
    }
    for (const ofStream of streams.values()) {
      const most = GROUP[ofStream[0].run.spec.data];
      for (let i = 0; i < ofStream.length; i += most) await this.#trainGroup(ofStream.slice(i, i + most));
    }
    return all;
  }

  /**
   * Metrics of a suite for every seed of a spec, in the order of the seeds.
   * @param view of a level that stands alone; the whole model by default
   */
  async metric(spec: Spec, name: `${string}.${string}`, view?: string): Promise<Metric[]> {
    const [suite, metric] = name.split('.');
    const [runs] = await this.train([spec]);
    const metrics: Metric[] = [];
    for (const run of runs) {
      const { metrics: whole, views, skipped } = await this.measure(run, suite);
      const found = (view === undefined ? whole : (views[view] ?? {}))[metric];
      if (!found) {
        const reason = skipped[metric] ?? `${suite} has no ${metric}${view === undefined ? '' : ` of ${view}`} here`;
        metrics.push({ value: null, low: null, high: null, n: 0, unit: '', definition: name, insufficient: reason });
      } else metrics.push(found);
    }
    return metrics;
  }

  /** What a suite says of a run, measured once. */
  async measure(run: TrainedRun, suite: string): Promise<SuiteResult> {
    const stored = readResult(run.folder, suite);
    if (stored && this.#isOfThisScale(run, suite, stored.measured)) return stored.result;
    this.#checkInterrupted();
    this.#note(`${suite}: ${describe(run)}`);
    return this.withRun(run, async (context, _open, _device, measured) => {
      const result = await SUITES[suite].measure(context);
      writeResult(run.folder, suite, { result, measured: { ...measured, scale: this.scaleName } });
      return result;
    });
  }

  #isOfThisScale({ spec }: TrainedRun, suite: string, measured: Measured): boolean {
    const { rows, sequences } = this.size(spec.data);
    return (
      measured.scale === this.scaleName &&
      measured.rows === rows &&
      (measured.sequences ?? 0) === sequences &&
      (!READ_LABELS.has(suite) || Boolean(measured.labelled) === (this.labelled !== undefined))
    );
  }

  /** Opens a trained run for a measurement of a claim's own. */
  async withRun<T>(
    run: TrainedRun,
    measure: (context: EvalContext, open: OpenRun, device: Device, measured: Measured) => Promise<T>,
  ): Promise<T> {
    const device = await CpuDevice.create();
    try {
      const { rows, sequences } = this.size(run.spec.data);
      const options = {
        run: run.folder,
        rows,
        data: this.labelled,
        seed: 0,
        ...(sequences > 0 && { sequences }),
      };
      return await withRunContext(device, options, { onProgress: () => {} }, (context, measured, open) =>
        measure(context, open, device, measured),
      );
    } finally {
      await device.close();
    }
  }

  /** A folder of this laboratory for what a claim keeps itself. */
  place(...path: string[]): string {
    return join(this.#folder, ...path);
  }

  /** Whether there is a language model of this name. */
  hasText(name: string): boolean {
    return this.#texts.has(name);
  }

  /** A further language model, for specs that name it. */
  addText(name: string, text: TextSource): void {
    this.#texts.set(name, text);
  }

  #runsOf(spec: Spec): TrainedRun[] {
    const { seeds = this.size(spec.data).seeds } = spec;
    return Array.from({ length: seeds }, (_, seed) => ({
      folder: this.place('runs', spec.data, `${nameOf(spec)}-${seed}`),
      spec,
      seed,
    }));
  }

  async #config({ data, arch, keys, tokens, batch, layer, text }: Spec, seed: number): Promise<RunConfig> {
    const size = this.size(data);
    const raw = {
      arch,
      acts: await this.#acts(data, text ?? data, layer),
      tokens: tokens ?? size.tokens,
      batch: batch ?? size.batch,
      seed,
      ...TRAINING,
      ...(data === 'B' && { synthBench: this.scale.synthBench }),
      ...keys,
    };
    return resolveConfig(raw, `${arch} on ${data}`);
  }

  /** Folder or name of activations; harvested once. */
  async #acts(data: DataName, name: string, layer: number | undefined): Promise<string> {
    if (data === 'N') return 'synthetic:toy-tree';
    if (data === 'B') return 'synthetic:bench-16k';
    const text = this.#texts.get(name);
    if (!text) throw new RangeError(`no text is given for ${name}`);
    const site = { layer: layer ?? text.layer, hook: 'resid_post' } as const;
    const out = this.place('acts', `${name}-${site.layer}`);
    if (existsSync(join(out, MANIFEST_FILE)) && readManifest(out).complete) return out;
    this.#note(`harvest: ${name} after block ${site.layer}`);
    // A twentieth is held out: the rest is what the trainings take.
    const tokens = Math.ceil(this.size(data).tokens / 0.95);
    await this.#whenFree(() =>
      harvest({ model: text.model, text: [...text.text], sites: [site], tokens, out }, { signal: this.#signal }),
    );
    return out;
  }

  async #trainGroup(group: readonly { run: TrainedRun; config: RunConfig }[]): Promise<void> {
    this.#checkInterrupted();
    let noted = '';
    await this.#whenFree(async () => {
      const open = group.filter(({ run, config }) => !isTrained(run.folder, config));
      if (open.length === 0) return;
      const what = open.map(({ run }) => describe(run)).join(' · ');
      if (what !== noted) this.#note(`train: ${what}`);
      noted = what;
      const plans: Plan[] = open.map(({ run, config }) => ({ name: describe(run), folder: run.folder, config }));
      const device = await CpuDevice.create();
      try {
        await trainGroup(device, plans, {
          signal: this.#signal,
          threads: undefined,
          note: () => {},
          onProgress: () => {},
        });
      } finally {
        await device.close();
      }
    });
  }

  #checkInterrupted(): void {
    if (!this.#signal.aborted) return;
    throw new InterruptedError('stopped; what was trained and measured is kept', {
      hint: 'run the same command again, it goes on from there',
    });
  }

  /** Another process may be at work in the same laboratory: what it makes is used. */
  async #whenFree(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof BusyError)) throw error;
        await wait(2000);
        this.#checkInterrupted();
      }
    }
  }
}
