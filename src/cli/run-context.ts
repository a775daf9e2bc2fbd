/** A trained SAE with its held-out data on a device of its own, for commands that measure it. */
import type { EvalContext } from '../evals/context.ts';
import type { Measured, RunContextOptions } from '../evals/run-context.ts';
import { hubHooks } from './model-argument.ts';
import { Countdown, type Terminal } from './terminal.ts';

/** Opens everything, and closes it after the work. */
export async function withRunContext<T>(
  options: RunContextOptions,
  terminal: Terminal,
  work: (context: EvalContext, measured: Measured) => Promise<T>,
): Promise<T> {
  const { CpuDevice } = await import('../engine/cpu/device.ts');
  const evals = await import('../evals/run-context.ts');
  const device = await CpuDevice.create();
  try {
    const hooks = {
      hub: hubHooks(terminal),
      note: (line: string) => terminal.note(line),
      onProgress: new Countdown(terminal).report,
    };
    return await evals.withRunContext(device, options, hooks, work);
  } finally {
    await device.close();
  }
}
