/**
 * A language model at work for a training: one pass over the text gives the activations of every site that some SAE
 * trains on. Rows are shuffled in windows of fixed size: window w holds rows [w·size, (w+1)·size) of the endless stream, in
 * an order that (seed, w) decides. The trainer draws from one window while worker threads fill the next, so that model and
 * training overlap and nothing but two windows is held, however long the text is. Everything in a window is a function of
 * the texts, the configuration and (seed, w): the sequences that run together too, on which the last bits depend.
 */
import { DoubleBuffer } from '../../activations/double-buffer.ts';
import type { RowOrigins } from '../../activations/source.ts';
import { InputError, InterruptedError } from '../../core/errors.ts';
import { Permutation } from '../../core/permutation.ts';
import { Random } from '../../core/random.ts';
import { ForwardPool } from '../forward-pool.ts';
import { forward } from '../forward.ts';
import { resolveModel } from '../hub.ts';
import { openReading, type Reading } from '../reading.ts';
import { storeRows } from '../rows.ts';
import type { Sequence } from '../sequences.ts';
import type { Site } from '../site.ts';
import type { LiveConfig } from './config.ts';
import { HeldOutTexts, type HeldOutGroup } from './held-out-texts.ts';
import { splitDocuments } from './split.ts';
import { TrainingStream, type NumberedSequence } from './training-stream.ts';

/** Of a window of one site, where the configuration leaves it open. */
const WINDOW_BYTES = 64 * 2 ** 20;

/** Sequences that are sorted into batches together; two such groups are under way at a time. */
const GROUP_TOKENS = 8192;

export interface LiveOptions {
  /** Of the order of the documents and of the rows. */
  seed: number;
  /** Share of the documents that training never sees. */
  heldOut: number;
  /** Rows that will be asked for: windows past them are not filled in advance. */
  rows?: number;
  threads?: number | undefined;
  /** Told about a model that is fetched from the Hub. */
  note?: ((line: string) => void) | undefined;
  /** Ends the waiting for a window, which may take a minute. */
  signal?: AbortSignal | undefined;
  /** Told what is done before the first batch is there. */
  onProgress?: ((what: string, done: number, of: number) => void) | undefined;
}

export class LivePass {
  readonly reading: Reading;
  readonly windowRows: number;
  readonly options: LiveOptions;
  readonly #pool: ForwardPool;
  readonly #stream: TrainingStream;
  readonly #heldOut: HeldOutTexts;
  readonly #windows: DoubleBuffer<Float32Array<ArrayBuffer>[], Float32Array[]>;
  /** Calls for training rows run one after the other: they share windows. */
  #last: Promise<unknown> = Promise.resolve();
  /** The first window that was asked for: while it is filled, nothing else happens. */
  #first = -1;
  #isClosed = false;

  private constructor(config: LiveConfig, reading: Reading, options: LiveOptions, pool: ForwardPool) {
    const { cut, dropped, source, info, sites } = reading;
    const { d } = info;
    this.reading = reading;
    this.options = options;
    this.windowRows = config.window ?? Math.max(1024, Math.floor(WINDOW_BYTES / (4 * d)));
    this.#pool = pool;
    const split = splitDocuments(source, { ...options, dropped });
    this.#stream = new TrainingStream(split.training, cut, dropped);
    this.#heldOut = new HeldOutTexts(split, cut, dropped, d, (group) => this.#runHeldOut(group));
    this.#windows = new DoubleBuffer(
      () => sites.map(() => new Float32Array(this.windowRows * d)),
      (index, window) => this.#fill(index, window),
      Math.ceil((options.rows ?? Infinity) / this.windowRows),
    );
  }

  /** @throws InputError, UsageError as {@link openReading} */
  static async open(config: LiveConfig, sites: readonly Site[], options: LiveOptions): Promise<LivePass> {
    const { text, context, pack, keepBos, separator } = config;
    const { seed, threads, note, onProgress } = options;
    const { path: model } = await resolveModel(config.model, note && { onNote: note });
    const reading = await openReading(
      { model, text, sites, context: context ?? undefined, pack, keepBos, separator, seed, threads },
      (bytes, of) => onProgress?.('bytes of text looked through', bytes, of),
    );
    const pool = await ForwardPool.start(model, sites, reading.share);
    try {
      return new LivePass(config, reading, options, pool);
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  get heldOutRows(): number {
    return this.#heldOut.rows;
  }

  /** Rows [first, first + count) of the shuffled stream of a site into `out` [count, d]. */
  training(site: number, first: number, out: Float32Array): Promise<void> {
    return this.#inTurn(async () => {
      const { d } = this.reading.info;
      const rows = out.length / d;
      for (let done = 0; done < rows;) {
        const index = Math.floor((first + done) / this.windowRows);
        const offset = first + done - index * this.windowRows;
        if (this.#first < 0) this.#first = index;
        const window = await this.#unlessInterrupted(this.#windows.get(index));
        const length = Math.min(rows - done, this.windowRows - offset);
        out.set(window[site].subarray(offset * d, (offset + length) * d), done * d);
        done += length;
      }
    });
  }

  /** Held-out rows of a site, as {@link HeldOutTexts.read}. */
  heldOut(site: number, start: number, out: Float32Array, origins?: RowOrigins): Promise<number> {
    return this.#heldOut.read(site, start, out, this.reading.info.d, origins);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#pool.close();
    await this.#last;
    await this.#windows.close();
  }

  async #fill(index: number, window: Float32Array[]): Promise<Float32Array[]> {
    const first = index * this.windowRows;
    const end = first + this.windowRows;
    const order = new Permutation(this.windowRows, new Random(this.options.seed, 'window', index));
    const report = (what: string, done: number, of: number): void => {
      if (index === this.#first) this.options.onProgress?.(what, done, of);
    };
    await this.#stream.seek(
      first,
      (row) => report('rows passed over', row, first),
      () => this.#isStopped,
    );
    const store = (sequence: NumberedSequence, sites: readonly Float32Array[]): void =>
      this.#scatter(sequence, sites, window, (row) => (row >= first && row < end ? order.indexOf(row - first) : -1));
    const running: Promise<unknown>[] = [];
    try {
      for (const group of inGroups(this.#stream.until(end))) {
        // A window with gaps is none.
        if (this.#isStopped) throw stopped();
        const done = Promise.all(this.#forward(group, store));
        // Awaited in its turn; until then a failure must not count as unhandled.
        done.catch(() => undefined);
        running.push(done);
        if (running.length > 1) await running.shift();
        report('rows of the first window', group[group.length - 1].firstRow - first, this.windowRows);
      }
      await running.shift();
    } finally {
      // After a failure too: nothing may write into the window any more.
      await Promise.allSettled(running);
    }
    return window;
  }

  async #runHeldOut(group: HeldOutGroup): Promise<Float32Array[]> {
    const { info, sites, dropped } = this.reading;
    const { d } = info;
    const acts = sites.map(() => new Float32Array(group.rows * d));
    const store = (
      { firstRow, ...sequence }: HeldOutGroup['sequences'][number],
      values: readonly Float32Array[],
    ): void => {
      for (const [i, site] of values.entries()) {
        checkFinite(site, sequence, d);
        storeRows(acts[i], firstRow - group.firstRow, sequence.tokens, site, d, dropped);
      }
    };
    await Promise.all(this.#forward(group.sequences, store));
    return acts;
  }

  #forward<S extends Sequence>(
    sequences: readonly S[],
    store: (sequence: S, sites: readonly Float32Array[]) => void,
  ): Promise<number>[] {
    const { tokenizer, info } = this.reading;
    return forward(this.#pool, sequences, { padId: tokenizer.padId, d: info.d }, store);
  }

  /** @param slotOf row of the stream → row of the window, −1 for rows of other windows */
  #scatter(
    sequence: NumberedSequence,
    sites: readonly Float32Array[],
    window: readonly Float32Array[],
    slotOf: (row: number) => number,
  ): void {
    const { info, dropped } = this.reading;
    const { d } = info;
    for (const acts of sites) checkFinite(acts, sequence, d);
    let row = sequence.firstRow;
    for (const [pos, token] of sequence.tokens.entries()) {
      if (token === dropped) continue;
      const slot = slotOf(row++);
      if (slot < 0) continue;
      for (const [i, acts] of sites.entries()) window[i].set(acts.subarray(pos * d, (pos + 1) * d), slot * d);
    }
  }

  get #isStopped(): boolean {
    return this.#isClosed || this.options.signal?.aborted === true;
  }

  /** @throws InterruptedError as soon as the signal aborts */
  #unlessInterrupted<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.options;
    if (!signal) return work;
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(stopped());
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const stopped = (): InterruptedError =>
  new InterruptedError('stopped while the language model was at work', { hint: 'run the same command again' });

/** Groups of some {@link GROUP_TOKENS} tokens. */
function* inGroups<S extends Sequence>(sequences: Iterable<S>): Generator<S[]> {
  let group: S[] = [];
  let tokens = 0;
  for (const sequence of sequences) {
    group.push(sequence);
    tokens += sequence.tokens.length;
    if (tokens < GROUP_TOKENS) continue;
    yield group;
    group = [];
    tokens = 0;
  }
  if (group.length > 0) yield group;
}

/** @param acts [≥ tokens, d] @throws InputError naming the token */
function checkFinite(acts: Float32Array, { tokens, docs }: Sequence, d: number): void {
  for (const [pos, token] of tokens.entries()) {
    let sum = 0;
    for (let j = pos * d; j < (pos + 1) * d; j++) sum += acts[j] * acts[j];
    if (Number.isFinite(sum)) continue;
    throw new InputError(
      `the model gave a value that is not finite in document ${docs[pos]}, at position ${pos} (token ${token})`,
      { hint: 'this text overflows the model at this layer: use a float32 export of the model, or an earlier layer' },
    );
  }
}
