/** Ctrl-C: the first asks a job to stop cleanly, the second ends the program at once. */
import { EXIT } from '../core/errors.ts';
import type { Terminal } from './terminal.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs a job that stops, with an InterruptedError, soon after its signal aborts. */
export async function untilInterrupted<T>(terminal: Terminal, job: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    terminal.note('stopping … (once more to stop at once)');
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    return await job(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt);
  }
}
