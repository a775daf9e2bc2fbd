/** Trying again what failed on the network, within limits. */
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError, InterruptedError } from '../../core/errors.ts';

/** The Hub does not answer, or not now. */
export class HubUnreachable extends InputError {}

/** A failure that may pass. */
export class PassingFailure extends Error {
  readonly pauseMs: number;

  /** @param pauseMs that the server asks for */
  constructor(message: string, pauseMs = 0) {
    super(message);
    this.pauseMs = pauseMs;
  }
}

export interface Patience {
  /** An attempt is given up when nothing was received for so long. */
  readonly timeoutMs: number;
  /** Pauses between attempts; when they are used up without progress, the Hub is unreachable. */
  readonly pausesMs: readonly number[];
  readonly signal: AbortSignal | undefined;
  /** A line for the reader. */
  readonly note: (line: string) => void;
}

/**
 * Repeats what fails for a reason that may pass, as long as there is progress.
 * @param who as named in messages
 * @param progress any number that grows: only failures without progress count
 * @throws HubUnreachable in the end, InterruptedError on the user's wish; errors that do not pass as they are
 */
export async function persist<T>(
  who: string,
  { timeoutMs, pausesMs, signal, note }: Patience,
  attempt: (watchdog: Watchdog) => Promise<T>,
  progress: () => number = () => 0,
): Promise<T> {
  let best = progress();
  for (let failures = 0; ; failures++) {
    const watchdog = new Watchdog(timeoutMs, signal);
    let failure: PassingFailure;
    try {
      return await attempt(watchdog);
    } catch (error) {
      if (signal?.aborted) throw interrupted();
      failure = watchdog.hasBarked
        ? new PassingFailure(`nothing was received for ${timeoutMs / 1000} s`)
        : asPassing(error);
    } finally {
      watchdog.release();
    }
    if (progress() > best) {
      best = progress();
      failures = 0;
    }
    if (failures === pausesMs.length) throw new HubUnreachable(`${who} cannot be reached: ${failure.message}`);
    const pauseMs = Math.max(pausesMs[failures], failure.pauseMs);
    note(`${who}: ${failure.message}; trying again in ${pauseMs / 1000} s`);
    await pause(pauseMs, signal);
  }
}

/** @throws InterruptedError on the user's wish */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch(() => {
    throw interrupted();
  });
}

function interrupted(): InterruptedError {
  return new InterruptedError('interrupted: what was downloaded is kept', {
    hint: 'run the same command again: it goes on where it stopped',
  });
}

function asPassing(error: unknown): PassingFailure {
  if (error instanceof PassingFailure) return error;
  // fetch hides all that happens on the network behind a TypeError with a cause.
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) throw error;
  const { code, message } = error.cause as NodeJS.ErrnoException;
  return new PassingFailure(`the connection failed (${code ?? message})`);
}

/** Aborts a request when nothing was heard for a while, or on the user's wish. */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #wish: AbortSignal | undefined;
  #hasBarked = false;

  constructor(timeoutMs: number, wish: AbortSignal | undefined) {
    this.#timer = setTimeout(() => {
      this.#hasBarked = true;
      this.#abort();
    }, timeoutMs);
    this.#wish = wish;
    wish?.addEventListener('abort', this.#abort);
    if (wish?.aborted) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the silence became too long. */
  get hasBarked(): boolean {
    return this.#hasBarked;
  }

  /** Something was received. */
  heard(): void {
    this.#timer.refresh();
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#wish?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.#controller.abort();
}
