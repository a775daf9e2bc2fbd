/** Ctrl-C: the first asks a job to stop cleanly, the second ends the program at once. */
import type { Terminal } from './terminal.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs a job that stops, with an InterruptedError, soon after its signal aborts. */
export async function untilInterrupted<T>(
  terminal: Pick<Terminal, 'note'>,
  job: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const ignore = (): void => {
    for (const name of SIGNALS) process.off(name, interrupt);
  };
  const interrupt = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      // The system ends the program: leaving in the usual way would wait for threads, and tear down those that compute.
      ignore();
      process.kill(process.pid, name);
      return;
    }
    terminal.note('stopping … (once more to stop at once)');
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    return await job(controller.signal);
  } finally {
    ignore();
  }
}
