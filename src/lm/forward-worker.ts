/** A thread that runs one model prefix: batches come in as messages and go back as activations of every site. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { SaeforestError } from '../core/errors.ts';
import { LanguageModel } from './model.ts';
import type { Prefix } from './parts.ts';
import type { Floats, Halves } from './run.ts';
import type { Site } from './site.ts';
import type { TokenBatch } from './tokens.ts';

export interface ForwardSetup {
  folder: string;
  sites: readonly Site[];
  /** Give binary16. */
  half: boolean;
  /** Threads of the runtime in this worker. */
  threads: number;
  /** One word of shared memory, not 0 once batches need not be run any more. */
  stop: Int32Array;
}

/** `null` ends the worker. A thread that is terminated from outside while the runtime works takes the process with it. */
export type ForwardRequest = { id: number; batch: TokenBatch } | null;

/** An expected failure, as far as it survives the way between threads. */
export interface ForwardFailure {
  message: string;
  where: string | undefined;
  hint: string | undefined;
}

export type ForwardReply =
  | { kind: 'ready' }
  | { kind: 'done'; id: number; acts: (Floats | Halves)[] }
  | { kind: 'failed'; failure: ForwardFailure };

const port = parentPort as MessagePort;
const { folder, sites, half, threads, stop } = workerData as ForwardSetup;

function reply(message: ForwardReply): void {
  const buffers = message.kind === 'done' ? message.acts.map(({ buffer }) => buffer) : [];
  // Two sites may be one tensor.
  port.postMessage(message, [...new Set(buffers)]);
}

/** Expected failures become messages; anything else ends the thread with its stack. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SaeforestError)) throw error;
    reply({ kind: 'failed', failure: { message: error.message, where: error.where, hint: error.hint } });
  }
}

function serve(prefix: Prefix<Floats | Halves>): void {
  port.on('message', (request: ForwardRequest) => {
    void attempt(async () => {
      if (request === null) {
        port.close();
        await prefix.release();
        return;
      }
      if (Atomics.load(stop, 0) !== 0) return;
      const { id, batch } = request;
      reply({ kind: 'done', id, acts: await prefix.run(batch) });
    });
  });
  reply({ kind: 'ready' });
}

await attempt(async () => {
  // The model goes out of scope here: what stays is the runtime's copy of the weights.
  const model = await LanguageModel.open(folder);
  serve(await (half ? model.halfPrefix(sites, { threads }) : model.prefix(sites, { threads })));
});
