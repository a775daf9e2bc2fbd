/**
 * Text → folder of activation shards. Three things happen at once: this thread tokenises the next window, worker threads
 * run the model on the current one, and this thread encodes and writes the one before.
 */
import type { Manifest } from '../activations/manifest.ts';
import { ShardWriter, type ActivationBatch } from '../activations/shard-writer.ts';
import { InputError, InterruptedError } from '../core/errors.ts';
import { ForwardPool } from './forward-pool.ts';
import { planHarvest, type HarvestOptions, type HarvestPlan } from './harvest-plan.ts';
import { countKept, planBatches, readWindows, type Place, type Sequence, type Window } from './sequences.ts';
import { packTokens } from './tokens.ts';

export type { HarvestOptions } from './harvest-plan.ts';

/** Padding included. Larger batches leave the processor's cache and run slower. */
export const BATCH_TOKENS = 2048;

/** Large windows hold little padding, small ones little memory: activations of one are about 32 MiB. */
export function windowTokens(d: number): number {
  return Math.max(BATCH_TOKENS, Math.min(32_768, Math.floor(2 ** 23 / d)));
}

/** Windows that are read ahead of the one that is written. */
const AHEAD = 2;

export interface HarvestProgress {
  /** Rows so far, in earlier processes too. */
  rows: number;
  /** Those that were there when this process began. */
  resumedRows: number;
  /** Rows asked for. */
  wanted: number;
  /** Of this process, BOS included, since the first batch. */
  tokens: number;
  seconds: number;
}

export interface HarvestReport {
  manifest: Manifest;
  /** The texts were used up before the rows asked for were reached. */
  isExhausted: boolean;
  /** Rows that an earlier process had stored. */
  resumedRows: number;
  /** Of this process, BOS included; their time, without loading the model. */
  tokens: number;
  seconds: number;
  /** Share of padding among the positions that the model computed. */
  padding: number;
  workers: { workers: number; threads: number };
}

export interface HarvestHooks {
  signal?: AbortSignal;
  onProgress?(progress: HarvestProgress): void;
}

/**
 * Harvests into a new folder or goes on with an interrupted one; the finished folder has the same bytes either way,
 * whatever the number of threads.
 * @throws InterruptedError when the signal aborts; complete shards are kept
 * @throws InputError, UsageError, OutputError as the model, the texts, the options or the folder require; a folder
 * without a complete shard is then left as it was found
 */
export async function harvest(options: HarvestOptions, hooks: HarvestHooks = {}): Promise<HarvestReport> {
  const plan = await planHarvest(options);
  const writer = ShardWriter.open(options.out, plan.identity);
  try {
    const pool = await ForwardPool.start(options.model, plan.identity.layer, plan.workers);
    try {
      return await new Harvester(plan, writer, pool, hooks).run();
    } finally {
      await pool.close();
    }
  } finally {
    writer.close();
  }
}

class Harvester {
  readonly #plan: HarvestPlan;
  readonly #writer: ShardWriter;
  readonly #pool: ForwardPool;
  readonly #hooks: HarvestHooks;
  readonly #dropped: number | undefined;
  readonly #wanted: number;
  /** Buffers of windows that were written: fresh memory of this size costs as much as the copying. */
  readonly #spare: Float32Array[] = [];
  #tokens = 0;
  #positions = 0;

  constructor(plan: HarvestPlan, writer: ShardWriter, pool: ForwardPool, hooks: HarvestHooks) {
    this.#plan = plan;
    this.#writer = writer;
    this.#pool = pool;
    this.#hooks = hooks;
    this.#dropped = plan.identity.specials.dropped[0];
    this.#wanted = plan.identity.rowsWanted ?? Infinity;
  }

  async run(): Promise<HarvestReport> {
    const writer = this.#writer;
    const start = performance.now();
    const seconds = (): number => (performance.now() - start) / 1000;
    const resumedRows = writer.storedRows;
    const running: { window: Window; batch: Promise<ActivationBatch> }[] = [];
    const write = async (): Promise<void> => {
      const { window, batch } = running.shift()!;
      const ready = await this.#unlessInterrupted(batch);
      writer.append(ready, { ...window.next });
      this.#spare.push(ready.acts);
      this.#tokens += window.sequences.reduce((sum, { tokens }) => sum + tokens.length, 0);
      const { rows } = writer;
      const [tokens, wanted] = [this.#tokens, this.#wanted];
      this.#hooks.onProgress?.({ rows, resumedRows, wanted, tokens, seconds: seconds() });
    };
    for (const window of this.#windows()) {
      const batch = this.#forward(window);
      // Awaited in its turn; until then a failure must not count as unhandled.
      batch.catch(() => {});
      running.push({ window, batch });
      if (running.length > AHEAD) await write();
    }
    while (running.length > 0) await write();
    if (writer.rows === 0) {
      throw new InputError('the texts hold no tokens to harvest', { where: this.#plan.corpus.paths.join(', ') });
    }
    const manifest = writer.finish();
    return {
      manifest,
      isExhausted: manifest.counts.rows < this.#wanted,
      resumedRows,
      tokens: this.#tokens,
      seconds: seconds(),
      padding: 1 - this.#tokens / Math.max(1, this.#positions),
      workers: this.#plan.workers,
    };
  }

  #windows(): Generator<Window> {
    const { corpus, tokenizer, identity } = this.#plan;
    return readWindows(corpus, tokenizer, {
      context: identity.context,
      windowTokens: windowTokens(identity.d),
      dropped: this.#dropped,
      seed: identity.text.seed,
      rows: this.#wanted,
      from: (this.#writer.progress as Place | null) ?? { document: 0, sequence: 0 },
      rowsBefore: this.#writer.storedRows,
    });
  }

  /** Runs all batches of a window and puts their rows back into the order of the text. */
  async #forward({ sequences }: Window): Promise<ActivationBatch> {
    const { tokenizer, identity } = this.#plan;
    const { d } = identity;
    const firstRows: number[] = [];
    let rows = 0;
    for (const { tokens } of sequences) {
      firstRows.push(rows);
      rows += countKept(tokens, this.#dropped);
    }
    const result: ActivationBatch = {
      rows,
      acts: this.#buffer(rows * d),
      tokens: new Int32Array(rows),
      pos: new Int32Array(rows),
      doc: new Int32Array(rows),
      sequences: sequences.length,
    };
    await Promise.all(
      planBatches(sequences, BATCH_TOKENS).map(async (members) => {
        const batch = packTokens(
          members.map((i) => sequences[i].tokens),
          tokenizer.padId,
        );
        this.#positions += batch.n * batch.length;
        const { length } = batch;
        const acts = await this.#pool.run(batch);
        for (const [row, i] of members.entries()) {
          storeRows(result, firstRows[i], sequences[i], acts.subarray(row * length * d), d, this.#dropped);
        }
      }),
    );
    return result;
  }

  /** At least `size` numbers. */
  #buffer(size: number): Float32Array {
    const spare = this.#spare.pop();
    if (spare && spare.length >= size) return spare;
    const { d, context } = this.#plan.identity;
    // A window ends with the sequence that fills it.
    return new Float32Array(Math.max(size, (windowTokens(d) + context) * d));
  }

  /** @throws InterruptedError as soon as the signal aborts */
  async #unlessInterrupted<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#hooks;
    if (!signal) return work;
    // A turn of the event loop, for signals that came in while this thread was busy.
    await new Promise(setImmediate);
    if (signal.aborted) throw this.#interrupted();
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(this.#interrupted());
      signal.addEventListener('abort', stop, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  #interrupted(): InterruptedError {
    const { storedRows, folder } = this.#writer;
    return new InterruptedError(
      storedRows > 0 ? `interrupted: ${storedRows} rows are stored` : 'interrupted: nothing was stored yet',
      { where: folder, hint: `run the same command again${storedRows > 0 ? ' to go on from there' : ''}` },
    );
  }
}

/** Copies a sequence's activations [≥ tokens, d], without those of `dropped`, to `row` and after. */
function storeRows(
  into: ActivationBatch,
  firstRow: number,
  { doc, tokens }: Sequence,
  acts: Float32Array,
  d: number,
  dropped: number | undefined,
): void {
  let row = firstRow;
  for (let pos = 0; pos < tokens.length;) {
    if (tokens[pos] === dropped) {
      pos++;
      continue;
    }
    const start = pos;
    const firstOfRun = row;
    for (; pos < tokens.length && tokens[pos] !== dropped; pos++, row++) {
      into.tokens[row] = tokens[pos];
      into.pos[row] = pos;
      into.doc[row] = doc;
    }
    into.acts.set(acts.subarray(start * d, pos * d), firstOfRun * d);
  }
}
