/** What is asked of the Hub: every answer is checked, every refusal is told apart. */
import { listFiles, modelInfo } from '@huggingface/hub';
import { z } from 'zod';
import { InputError, SaeforestError } from '../../core/errors.ts';
import { PassingFailure, persist, type Patience, type Watchdog } from './patience.ts';
import { formatReference, isConfined, type HubReference } from './reference.ts';
import type { HubSettings } from './settings.ts';

/** The longest that a server's Retry-After is obeyed, in seconds. */
const LONGEST_PAUSE_S = 60;

const commitSchema = z.string().regex(/^[0-9a-f]{40}$/);

const fileSchema = z
  .object({
    path: z.string(),
    size: z.number().int().min(0),
    /** SHA-1 of the Git blob. */
    oid: z.string().regex(/^[0-9a-f]{40}$/),
    /** Of a large file; then `oid` is that of a pointer to it. */
    lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().min(0) }).optional(),
  })
  .transform(({ path, size, oid, lfs }): HubFile =>
    lfs
      ? { path, size: lfs.size, algorithm: 'sha256', digest: lfs.oid }
      : { path, size, algorithm: 'git-sha1', digest: oid },
  );

/** A file of a commit. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly algorithm: 'sha256' | 'git-sha1';
  /** Lower-case hex. Also the name of its content in the cache. */
  readonly digest: string;
}

export class HubClient {
  readonly #settings: HubSettings;
  readonly #reference: HubReference;
  readonly #patience: Patience;

  constructor(settings: HubSettings, reference: HubReference, hooks: Pick<Patience, 'signal' | 'note'>) {
    this.#settings = settings;
    this.#reference = reference;
    this.#patience = { ...hooks, timeoutMs: settings.timeoutMs, pausesMs: settings.pausesMs };
  }

  /**
   * @param isUrgent one attempt, as there is something to fall back on
   * @returns the commit that the revision points to
   * @throws HubUnreachable, InputError if there is no such model or revision
   */
  async commit(isUrgent: boolean): Promise<string> {
    const { repo, revision } = this.#reference;
    const patience = { ...this.#patience, ...(isUrgent && { pausesMs: [] }) };
    const { sha } = await this.#asking(
      modelInfo({ name: repo, revision, additionalFields: ['sha'], ...this.#access(patience) }),
    );
    return this.#checked(commitSchema, sha);
  }

  /** @returns the files of a commit by path @throws HubUnreachable, InputError */
  async files(commit: string): Promise<Map<string, HubFile>> {
    const repo = { type: 'model' as const, name: this.#reference.repo };
    const listing = listFiles({ repo, revision: commit, recursive: true, ...this.#access(this.#patience) });
    const files = new Map<string, HubFile>();
    const read = async (): Promise<void> => {
      for await (const entry of listing) {
        if (entry.type !== 'file') continue;
        const file = this.#checked(fileSchema, entry);
        if (!isConfined(file.path)) throw this.#unconfined(file.path);
        files.set(file.path, file);
      }
    };
    await this.#asking(read());
    return files;
  }

  /**
   * One attempt to get a file.
   * @param from its first byte
   * @returns the response: 200, 206 or 416
   * @throws PassingFailure, InputError
   */
  async open(commit: string, path: string, from: number, signal: AbortSignal): Promise<Response> {
    const { endpoint } = this.#settings;
    const escaped = path.split('/').map(encodeURIComponent).join('/');
    // Compressed, a range would be one of the compressed bytes.
    const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) };
    return this.#request(`${endpoint}/${this.#reference.repo}/resolve/${commit}/${escaped}`, headers, signal, path);
  }

  /** Repeats an attempt that fails for a reason that may pass, see {@link persist}. */
  async persist<T>(attempt: (watchdog: Watchdog) => Promise<T>, progress?: () => number): Promise<T> {
    return persist(this.#settings.endpoint, this.#patience, attempt, progress);
  }

  /** How the library's functions reach the Hub. */
  #access(patience: Patience): { hubUrl: string; fetch: typeof fetch } {
    const { endpoint } = this.#settings;
    return {
      hubUrl: endpoint,
      fetch: (url) =>
        persist(endpoint, patience, async ({ signal }) => {
          const response = await this.#request(String(url), { accept: 'application/json' }, signal);
          // Read here, so that a connection that breaks in the middle is tried again too.
          return new Response(await response.arrayBuffer(), { headers: response.headers });
        }),
    };
  }

  /** @param file that is asked for, undefined for a question about the repository */
  async #request(url: string, headers: Record<string, string>, signal: AbortSignal, file?: string): Promise<Response> {
    const { endpoint, token } = this.#settings;
    // Nobody else gets the token; on a redirect to another server, fetch itself takes it away.
    const isOurs = new URL(url).origin === new URL(endpoint).origin;
    const authorization = isOurs && token !== undefined && { authorization: `Bearer ${token}` };
    const response = await fetch(url, { headers: { ...headers, ...authorization }, signal });
    if (response.ok || (response.status === 416 && headers.range !== undefined)) return response;
    await response.body?.cancel();
    throw this.#refusal(response, file);
  }

  #refusal({ status, headers }: Response, file: string | undefined): Error {
    if (status === 408 || status === 429 || status >= 500) {
      const seconds = Math.min(Number(headers.get('retry-after')) || 0, LONGEST_PAUSE_S);
      return new PassingFailure(`it answers ${status}${status === 429 ? ' (too many requests)' : ''}`, 1000 * seconds);
    }
    const { endpoint, token } = this.#settings;
    const { repo, revision } = this.#reference;
    const code = headers.get('x-error-code');
    const fail = (message: string, hint?: string): InputError =>
      new InputError(message, { where: formatReference(this.#reference), ...(hint !== undefined && { hint }) });
    if (code === 'GatedRepo' || (file !== undefined && status === 403)) {
      return fail(
        `access to ${repo} has to be granted (${status})`,
        token === undefined
          ? `accept the licence at ${endpoint}/${repo}, then set HF_TOKEN to a token of the same account`
          : `accept the licence at ${endpoint}/${repo} with the account of the token, which must be allowed to read gated repositories`,
      );
    }
    if (code === 'RevisionNotFound') return fail(`${repo} has no revision "${revision}"`, `see ${endpoint}/${repo}`);
    if (file !== undefined && status === 404) return fail(`${repo} lists "${file}", but does not have it`);
    if (status === 401 || status === 403 || status === 404) {
      return fail(
        `there is no model ${repo} at ${endpoint}, or it may not be seen (${status})`,
        token === undefined
          ? 'check the name; for a private model set HF_TOKEN'
          : 'check the name, and that the token (HF_TOKEN, or the one of hf auth login) is valid and may read it',
      );
    }
    return fail(`${endpoint} refuses the request (${status})`);
  }

  /** Failures of the library, which trusts the server, become errors about the server. */
  async #asking<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw error instanceof SaeforestError ? error : this.#nonsense(error);
    }
  }

  #checked<S extends z.ZodType>(schema: S, answer: unknown): z.output<S> {
    const parsed = schema.safeParse(answer);
    if (!parsed.success) throw this.#nonsense(parsed.error);
    return parsed.data;
  }

  #nonsense(cause: unknown): InputError {
    return new InputError(`${this.#settings.endpoint} does not answer as the Hub does`, {
      where: formatReference(this.#reference),
      hint: 'check HF_ENDPOINT, and that no login page of the network answers in its place',
      cause,
    });
  }

  #unconfined(path: string): InputError {
    return new InputError(`the repository lists a file whose name leads out of its folder: ${JSON.stringify(path)}`, {
      where: formatReference(this.#reference),
      hint: 'nothing was downloaded: do not use this repository',
    });
  }
}
