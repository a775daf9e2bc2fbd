/**
 * A server that speaks the protocol of OpenAI's chat completions. The client's own retries are switched off: every attempt has to
 * pass the rate limit, a quota that is used up must not be retried, and what cannot be overcome has to stop the whole work with a
 * message that says how to go on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { APIConnectionError, APIError, BadRequestError, OpenAI } from 'openai';
import pThrottle from 'p-throttle';
import { InputError, InterruptedError, UsageError } from '../../core/errors.ts';
import type { Message } from './prompts.ts';

/** Attempts for one request, and the wait after the first that fails; it doubles each time. */
const ATTEMPTS = 6;
const FIRST_WAIT_MS = 1000;
/** A server that asks for more patience than this will not answer today. */
const LONGEST_WAIT_MS = 15 * 60_000;

export interface EndpointOptions {
  /** Base URL, such as https://api.openai.com/v1. */
  readonly url: string;
  /** Never part of a message, a file or a log. */
  readonly key: string;
  readonly model: string;
  readonly requestsPerMinute: number;
  /** For one attempt. */
  readonly timeoutMs: number;
  /** Wait after the first failed attempt; FIRST_WAIT_MS. */
  readonly firstWaitMs?: number;
  readonly signal: AbortSignal;
}

/** The endpoint refuses, or answers no more. */
export class EndpointError extends InputError {}

class TimeoutError extends Error {}

/** An answer in another protocol. */
class StrangeAnswerError extends Error {}

export class Endpoint {
  readonly model: string;
  readonly #options: EndpointOptions;
  readonly #client: OpenAI;
  /** Waits until the rate limit allows another request. */
  readonly #turn: () => Promise<void>;
  /** An endpoint that never answered is not waited for. */
  #answered = false;
  /** Newer models want another name for the bound, and no temperature. */
  readonly #dialect = { bound: 'max_tokens' as 'max_tokens' | 'max_completion_tokens', temperature: true };

  /** @throws UsageError for an address that cannot be one */
  constructor(options: EndpointOptions) {
    const { url, key, model, requestsPerMinute, signal } = options;
    checkUrl(url);
    this.model = model;
    this.#options = options;
    this.#client = new OpenAI({
      baseURL: url,
      apiKey: key,
      // Those of the environment belong to OpenAI's own endpoint, as a log of requests belongs to nobody.
      organization: null,
      project: null,
      logLevel: 'off',
      maxRetries: 0,
    });
    // One request at a time, evenly spaced: servers count in windows of their own.
    const throttle = pThrottle({ limit: 1, interval: Math.ceil(60_000 / requestsPerMinute), signal });
    this.#turn = throttle(async () => {});
  }

  /**
   * @param bound tokens of the answer at most
   * @returns the text of the answer, which may be empty
   * @throws EndpointError after the last attempt, or at once where trying again cannot help
   * @throws InterruptedError when the signal aborts
   */
  async complete(messages: readonly Message[], bound: number): Promise<string> {
    const { firstWaitMs = FIRST_WAIT_MS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(messages, bound);
      } catch (error) {
        this.#stopIfInterrupted(error);
        if (this.#adapt(error)) continue;
        if (attempt === ATTEMPTS || !this.#mayPass(error)) throw this.#failure(error, attempt);
        const wait = requestedWait(error) ?? firstWaitMs * 2 ** (attempt - 1);
        if (wait > LONGEST_WAIT_MS) throw this.#failure(error, attempt);
        await this.#sleep(wait);
      }
    }
  }

  async #attempt(messages: readonly Message[], bound: number): Promise<string> {
    const { model, timeoutMs, signal } = this.#options;
    await this.#turn();
    const { bound: boundName, temperature } = this.#dialect;
    const body = { model, messages: [...messages], [boundName]: bound, ...(temperature && { temperature: 0 }) };
    // The client's own limit ends with the headers; a server may also hang in the middle of an answer.
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const answer: unknown = await this.#client.chat.completions.create(
        body as OpenAI.ChatCompletionCreateParamsNonStreaming,
        { signal: AbortSignal.any([signal, deadline]) },
      );
      const text = contentOf(answer);
      this.#answered = true;
      return text;
    } catch (error) {
      throw deadline.aborted ? new TimeoutError('timeout', { cause: error }) : error;
    }
  }

  /** Whether the request was refused for a parameter that goes by another name here. */
  #adapt(error: unknown): boolean {
    if (!(error instanceof BadRequestError)) return false;
    const about = `${error.param ?? ''} ${error.message}`;
    if (this.#dialect.bound === 'max_tokens' && about.includes('max_completion_tokens')) {
      this.#dialect.bound = 'max_completion_tokens';
      return true;
    }
    if (this.#dialect.temperature && error.param === 'temperature') {
      this.#dialect.temperature = false;
      return true;
    }
    return false;
  }

  /** Whether another attempt may succeed. */
  #mayPass(error: unknown): boolean {
    if (error instanceof APIConnectionError || error instanceof StrangeAnswerError) return this.#answered;
    if (!(error instanceof APIError) || error.status === undefined) return true;
    if (error.code === 'insufficient_quota') return false;
    return error.status === 429 || error.status === 408 || error.status === 409 || error.status >= 500;
  }

  #failure(error: unknown, attempts: number): EndpointError {
    const { url } = this.#options;
    return new EndpointError(this.#describe(error, attempts), { where: url, hint: hintFor(error) });
  }

  #describe(error: unknown, attempts: number): string {
    const times = attempts === 1 ? '' : ` (${attempts} attempts)`;
    if (error instanceof TimeoutError) return `the endpoint did not answer in time${times}`;
    if (error instanceof APIConnectionError) return `the endpoint cannot be reached${times}: ${rootCause(error)}`;
    if (error instanceof APIError)
      return this.#withoutKey(`the endpoint refused the request${times}: ${error.message}`);
    return `the endpoint's answer is not a chat completion${times}: ${this.#withoutKey((error as Error).message)}`;
  }

  /** Servers may repeat the key in what they say about it. */
  #withoutKey(text: string): string {
    return text.replaceAll(this.#options.key, '***').replaceAll(/\s+/g, ' ').slice(0, 300);
  }

  async #sleep(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.#options.signal });
    } catch (error) {
      this.#stopIfInterrupted(error);
      throw error;
    }
  }

  #stopIfInterrupted(error: unknown): void {
    if (this.#options.signal.aborted)
      throw new InterruptedError('stopped; the answers so far are kept', {
        hint: 'the same command goes on',
        cause: error,
      });
  }
}

/** @throws UsageError */
function checkUrl(text: string): void {
  const hint = '--endpoint https://api.openai.com/v1, or http://127.0.0.1:8080/v1 for a server on this machine';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError(`not the address of an endpoint: "${text}"`, { hint });
  }
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    throw new UsageError('the address of the endpoint holds more than an address: keys belong into the environment', {
      hint,
    });
  }
}

/** @throws StrangeAnswerError */
function contentOf(answer: unknown): string {
  const message = (answer as { choices?: { message?: { content?: unknown } }[] } | null)?.choices?.[0]?.message;
  if (typeof message === 'object' && message !== null) {
    if (typeof message.content === 'string') return message.content;
    if (message.content === null || message.content === undefined) return '';
  }
  throw new StrangeAnswerError(`received ${JSON.stringify(answer)?.slice(0, 100) ?? 'nothing'}`);
}

/** Milliseconds that the server asks to wait: Retry-After in seconds, or as a date. */
function requestedWait(error: unknown): number | undefined {
  const after = error instanceof APIError ? error.headers?.get('retry-after') : undefined;
  if (!after) return undefined;
  const wait = /^[\d.]+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

function hintFor(error: unknown): string {
  if (error instanceof APIError) {
    if (error.status === 401 || error.status === 403)
      return 'check the key in the environment (--key-env names its variable)';
    if (error.status === 404) return 'check --endpoint (most end in /v1) and --model-name';
    if (error.status === 429)
      return 'lower --requests-per-minute, or look at the quota; the same command goes on later';
    if (error.status === 400) return 'check --model-name and --answer-tokens';
    if (error.status === undefined) return 'check --endpoint and that the server runs; the same command goes on';
  }
  return 'check --endpoint; the same command goes on where it stopped';
}

function rootCause(error: unknown): string {
  let here = error;
  while (here instanceof Error && here.cause !== undefined) here = here.cause;
  const { code, message } = here as NodeJS.ErrnoException;
  return code ?? message;
}
