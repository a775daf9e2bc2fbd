/** Opens a trained run with its held-out data and its language model, for whatever measures it. */
import type { Device } from '../engine/device.ts';
import { readForest } from '../forest/file.ts';
import type { HubHooks } from '../lm/hub/transfer.ts';
import { LIVE, stepsOf } from '../training/config.ts';
import { checkTrainedOn, openRun, type OpenRun } from '../training/runs.ts';
import { openSource } from '../training/sources.ts';
import type { EvalContext } from './context.ts';
import { openHarvestedModel } from './harvested-model.ts';

export interface RunContextOptions {
  /** Folder of the run. */
  readonly run: string;
  /** Language model; where the activations say by default. */
  readonly model?: string | undefined;
  /** Activations; the run's by default. */
  readonly acts?: string | undefined;
  /** File of parents that are judged in place of the SAE's own or extracted ones. */
  readonly forest?: string | undefined;
  /** Folder of labelled texts. */
  readonly data?: string | undefined;
  readonly rows: number;
  readonly sequences?: number | undefined;
  readonly seed: number;
}

export interface RunContextHooks {
  readonly hub?: HubHooks;
  readonly note?: (line: string) => void;
  readonly onProgress: EvalContext['onProgress'];
}

/** What was read, as it is stored with results: only results of equal data, rows and options can be compared in pairs. */
export type Measured = Readonly<Record<string, unknown>>;

/** Rows that go through the SAE at once. */
const BATCH_ROWS = 2048;

/** Opens everything, and closes it after the work. @throws InputError and ConfigError of every part */
export async function withRunContext<T>(
  device: Device,
  options: RunContextOptions,
  { hub, note = () => {}, onProgress }: RunContextHooks,
  work: (context: EvalContext, measured: Measured, run: OpenRun) => Promise<T>,
): Promise<T> {
  const { model, forest: forestFile, data, rows, sequences, seed } = options;
  const run = openRun(options.run, device);
  const { config, sae, normalization, step } = run;
  const acts = options.acts ?? config.common.acts;
  const { live } = config.common;
  const common = { ...config.common, acts, ...(live && { live: { ...live, model: model ?? live.model } }) };
  const harvested = await openHarvestedModel(common, model, hub);
  if (typeof harvested === 'string') note(`without the language model: ${harvested}`);
  const forest = forestFile === undefined ? undefined : readForest(forestFile, sae.width);
  const source = await openSource(common, { kind: 'none' }, { onProgress });
  try {
    if (acts === LIVE) await checkTrainedOn(run, source);
    const context: EvalContext = {
      device,
      sae,
      source,
      normalization,
      model: harvested,
      trained: { sae, config: config.sae, batch: config.common.batch, steps: stepsOf(config.common) },
      deadByCounters: () => sae.deadFraction(),
      rows,
      batchRows: BATCH_ROWS,
      ...(sequences !== undefined && { sequences }),
      ...(forest && { forest }),
      ...(data !== undefined && { data }),
      seed,
      onProgress,
    };
    const measured = {
      step,
      acts,
      data: source.identity,
      rows,
      sequences: sequences ?? null,
      seed,
      ...(forestFile !== undefined && { forest: forestFile }),
      ...(data !== undefined && { labelled: data }),
    };
    return await work(context, measured, run);
  } finally {
    await source.close();
  }
}
