/**
 * Text → folders of activation shards, one per site. Three things happen at once: this thread tokenises the next window,
 * worker threads run the model on the current one, and this thread encodes and writes the one before.
 */
import type { Manifest } from '../activations/manifest.ts';
import { InputError, InterruptedError } from '../core/errors.ts';
import { ForwardPool, type ThreadShare } from './forward-pool.ts';
import { forward } from './forward.ts';
import type { Floats, Halves } from './run.ts';
import { HarvestFolders, type SiteBatch, type SiteHarvest } from './harvest-folders.ts';
import { planHarvest, type HarvestOptions, type HarvestPlan } from './harvest-plan.ts';
import { countKept, storeOrigins, storeRows } from './rows.ts';
import type { Sequence } from './sequences.ts';
import { readWindows, type Window } from './windows.ts';

export type { HarvestOptions } from './harvest-plan.ts';

/** Of one window at one site as float32. */
const WINDOW_BYTES = 16 * 2 ** 20;

/** Of the windows that are in memory, all sites together; there are always two of them. */
const MEMORY_BYTES = 128 * 2 ** 20;

/** Large windows hold little padding, small ones little memory. */
export function windowTokens(d: number): number {
  return Math.max(2048, Math.min(16_384, Math.floor(WINDOW_BYTES / (4 * d))));
}

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
  /** In the order in which the sites were asked for. */
  sites: (SiteHarvest & { manifest: Manifest })[];
  /** The texts were used up before the rows asked for were reached. */
  isExhausted: boolean;
  /** Rows that an earlier process had stored. */
  resumedRows: number;
  /** Of this process, BOS included; their time, without loading the model. */
  tokens: number;
  seconds: number;
  /** Share of padding among the positions that the model computed. */
  padding: number;
  workers: ThreadShare;
}

export interface HarvestHooks {
  signal?: AbortSignal;
  onProgress?(progress: HarvestProgress): void;
  /** While the text files are looked through, before the harvest begins. */
  onIndexing?(bytes: number, of: number): void;
}

/**
 * Harvests into new folders or goes on with interrupted ones; the finished folders have the same bytes either way,
 * whatever the number of threads.
 * @throws InterruptedError when the signal aborts; complete shards are kept
 * @throws InputError, UsageError, OutputError as the model, the texts, the options or a folder require; a folder
 * without a complete shard is then left as it was found
 */
export async function harvest(options: HarvestOptions, hooks: HarvestHooks = {}): Promise<HarvestReport> {
  const plan = await planHarvest(options, hooks.onIndexing);
  const folders = HarvestFolders.open(options.out, plan.sites);
  try {
    const { share } = plan.reading;
    const pool: ForwardPool<Floats | Halves> = plan.isHalf
      ? await ForwardPool.startHalf(options.model, folders.sites, share)
      : await ForwardPool.start(options.model, folders.sites, share);
    try {
      return await new Harvester(plan, folders, pool, hooks).run();
    } finally {
      await pool.close();
    }
  } finally {
    folders.close();
  }
}

class Harvester {
  readonly #plan: HarvestPlan;
  readonly #folders: HarvestFolders;
  readonly #pool: ForwardPool<Floats | Halves>;
  readonly #hooks: HarvestHooks;
  readonly #d: number;
  /** Windows that are read ahead of the one that is written. */
  readonly #ahead: number;
  /** Buffers of windows that were written: fresh memory of this size costs as much as the copying. */
  readonly #spare: Floats[] = [];
  #tokens = 0;
  #positions = 0;

  constructor(plan: HarvestPlan, folders: HarvestFolders, pool: ForwardPool<Floats | Halves>, hooks: HarvestHooks) {
    this.#plan = plan;
    this.#folders = folders;
    this.#pool = pool;
    this.#hooks = hooks;
    this.#d = plan.reading.info.d;
    const windows = Math.floor(MEMORY_BYTES / (WINDOW_BYTES * folders.sites.length));
    this.#ahead = Math.max(1, Math.min(2, windows - 1));
  }

  async run(): Promise<HarvestReport> {
    const folders = this.#folders;
    const { rowsWanted: wanted, reading } = this.#plan;
    const begun = performance.now();
    const seconds = (): number => (performance.now() - begun) / 1000;
    const { rows: resumedRows } = folders.start;
    const running: { window: Window; batch: Promise<SiteBatch> }[] = [];
    const write = async (): Promise<void> => {
      const { window, batch } = running.shift()!;
      const ready = await this.#unlessInterrupted(batch);
      folders.append(ready, window.next);
      this.#spare.push(...ready.acts.filter((acts) => acts instanceof Float32Array));
      this.#tokens += window.sequences.reduce((sum, { tokens }) => sum + tokens.length, 0);
      const { rows } = folders;
      this.#hooks.onProgress?.({ rows, resumedRows, wanted, tokens: this.#tokens, seconds: seconds() });
    };
    for (const window of this.#windows()) {
      const batch = this.#forward(window);
      // Awaited in its turn; until then a failure must not count as unhandled.
      batch.catch(() => {});
      running.push({ window, batch });
      if (running.length > this.#ahead) await write();
    }
    while (running.length > 0) await write();
    if (folders.rows === 0) throw new InputError('the texts hold no tokens to harvest', { where: reading.text });
    const manifests = folders.finish();
    return {
      sites: this.#plan.sites.map((site, i) => ({ ...site, manifest: manifests[i] })),
      isExhausted: manifests[0].counts.rows < wanted,
      resumedRows,
      tokens: this.#tokens,
      seconds: seconds(),
      padding: 1 - this.#tokens / Math.max(1, this.#positions),
      workers: reading.share,
    };
  }

  #windows(): Generator<Window> {
    const { reading, rowsWanted: rows } = this.#plan;
    const { place: from, rows: rowsBefore } = this.#folders.start;
    const { cut, dropped } = reading;
    return readWindows(reading.source, {
      ...cut,
      windowTokens: windowTokens(this.#d),
      dropped,
      rows,
      from,
      rowsBefore,
    });
  }

  /** Runs all batches of a window and puts their rows back into the order of the text. */
  async #forward({ sequences }: Window): Promise<SiteBatch> {
    const { tokenizer, dropped } = this.#plan.reading;
    const d = this.#d;
    const placed: (Sequence & { firstRow: number })[] = [];
    let rows = 0;
    for (const sequence of sequences) {
      placed.push({ ...sequence, firstRow: rows });
      rows += countKept(sequence.tokens, dropped);
    }
    const batch: SiteBatch = {
      rows,
      acts: this.#folders.sites.map(() => this.#buffer(rows * d)),
      tokens: new Int32Array(rows),
      pos: new Int32Array(rows),
      doc: new Int32Array(rows),
      sequences: sequences.length,
    };
    const positions = await Promise.all(
      forward(this.#pool, placed, { padId: tokenizer.padId, d }, (sequence, sites) => {
        const { firstRow, tokens } = sequence;
        storeOrigins(batch, firstRow, sequence, dropped);
        for (const [i, acts] of sites.entries()) storeRows(batch.acts[i], firstRow, tokens, acts, d, dropped);
      }),
    );
    this.#positions += positions.reduce((a, b) => a + b, 0);
    return batch;
  }

  /** At least `size` numbers. */
  #buffer(size: number): Floats | Halves {
    // The writer keeps these.
    if (this.#plan.isHalf) return new Uint16Array(size);
    const spare = this.#spare.pop();
    if (spare && spare.length >= size) return spare;
    // A window ends with the sequence that fills it.
    return new Float32Array(Math.max(size, (windowTokens(this.#d) + this.#plan.reading.cut.context) * this.#d));
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
    const { storedRows, out } = this.#folders;
    return new InterruptedError(
      storedRows > 0 ? `interrupted: ${storedRows} rows are stored` : 'interrupted: nothing was stored yet',
      { where: out, hint: `run the same command again${storedRows > 0 ? ' to go on from there' : ''}` },
    );
  }
}
