/** A trained SAE with the held-out text of its activations, for the commands that show latents to a reader. */
import type { EvalContext } from '../evals/context.ts';
import { hubHooks } from './model-argument.ts';
import { Countdown, type Terminal } from './terminal.ts';

/** Rows that go through the SAE at once. */
const BATCH_ROWS = 2048;

export interface RunContextOptions {
  readonly run: string;
  readonly model?: string | undefined;
  readonly acts?: string | undefined;
  readonly forest?: string | undefined;
  readonly rows: number;
  readonly seed: number;
}

/** What was read, as it is stored with results. */
export type Measured = Readonly<Record<string, unknown>>;

/** Opens everything, and closes it after the work. */
export async function withRunContext<T>(
  { run: folder, model, acts: given, forest: forestFile, rows, seed }: RunContextOptions,
  terminal: Terminal,
  work: (context: EvalContext, measured: Measured) => Promise<T>,
): Promise<T> {
  const { CpuDevice } = await import('../engine/cpu/device.ts');
  const { openHarvestedModel } = await import('../evals/harvested-model.ts');
  const { readForest } = await import('../forest/file.ts');
  const { LIVE } = await import('../training/config.ts');
  const { checkTrainedOn, openRun } = await import('../training/runs.ts');
  const { openSource } = await import('../training/sources.ts');

  const device = await CpuDevice.create();
  try {
    const run = openRun(folder, device);
    const acts = given ?? run.config.common.acts;
    const { live } = run.config.common;
    const common = { ...run.config.common, acts, ...(live && { live: { ...live, model: model ?? live.model } }) };
    const harvested = await openHarvestedModel(common, model, hubHooks(terminal));
    const forest = forestFile === undefined ? undefined : readForest(forestFile, run.sae.width);
    const onProgress = new Countdown(terminal).report;
    const source = await openSource(common, { kind: 'none' }, { onProgress });
    try {
      if (acts === LIVE) await checkTrainedOn(run, source);
      const context: EvalContext = {
        device,
        sae: run.sae,
        source,
        normalization: run.normalization,
        model: harvested,
        ...(forest && { forest }),
        rows,
        batchRows: BATCH_ROWS,
        seed,
        onProgress,
      };
      return await work(context, { step: run.step, acts, data: source.identity, rows, seed });
    } finally {
      await source.close();
    }
  } finally {
    await device.close();
  }
}
