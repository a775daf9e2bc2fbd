/**
 * A server that answers as the Hugging Face Hub does: API, files, and a second server for large files that the first
 * one redirects to. Answers can be spoiled on their way.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Seen {
  /** Which server: that of the API and of small files, or that of large ones. */
  readonly server: 'hub' | 'storage';
  readonly url: URL;
  /** Path in the repository of the file that is asked for. */
  readonly file: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** The connection breaks after so many bytes of the body. */
  cutAfter?: number;
  /** Nothing more is sent after so many bytes of the body. */
  stallAfter?: number;
}

export type Content = string | Uint8Array | object;

interface Stored {
  readonly bytes: Buffer;
  /** SHA-1 of the Git blob. */
  readonly oid: string;
  /** SHA-256, of large files. */
  readonly lfs: string | undefined;
}

const PAGE = 4;
const isLarge = (path: string): boolean => path.includes('.onnx') || path.endsWith('.bin');
const sha = (algorithm: string, ...parts: (string | Buffer)[]): string => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

export class FakeHub {
  /** Of the API, for HF_ENDPOINT. */
  endpoint = '';
  /** All requests, the oldest first. */
  readonly seen: Seen[] = [];
  /** Changes an answer before it is sent. */
  spoil: (seen: Seen, answer: Answer) => void = () => {};
  readonly #commits = new Map<string, Map<string, Stored>>();
  readonly #revisions = new Map<string, string>();
  readonly #servers: Server[] = [];
  #storage = '';

  static async start(): Promise<FakeHub> {
    const hub = new FakeHub();
    hub.endpoint = await hub.#listen('hub');
    hub.#storage = await hub.#listen('storage');
    onTestFinished(() => hub.stop());
    return hub;
  }

  stop(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  /** @returns the new commit that a branch of a repository points to */
  publish(repo: string, files: Record<string, Content | undefined>, revision = 'main'): string {
    const stored = new Map<string, Stored>();
    for (const [path, content] of Object.entries(files)) {
      if (content === undefined) continue;
      const isText = typeof content === 'string' || content instanceof Uint8Array;
      const bytes = Buffer.from(isText ? content : JSON.stringify(content));
      const oid = sha('sha1', `blob ${bytes.length}\0`, bytes);
      stored.set(path, { bytes, oid, lfs: isLarge(path) ? sha('sha256', bytes) : undefined });
    }
    const commit = sha('sha1', repo, JSON.stringify([...stored].map(([path, { oid }]) => [path, oid])));
    this.#commits.set(`${repo}@${commit}`, stored);
    this.#revisions.set(`${repo}@${revision}`, commit);
    return commit;
  }

  /** Paths of the files whose content was asked for, in this order; those of a range with its start. */
  get downloads(): string[] {
    return this.seen
      .filter(({ server, file }) => server === 'storage' || (file !== undefined && !isLarge(file)))
      .map(({ file, headers }) => `${file}${headers.range === undefined ? '' : ` ${headers.range}`}`);
  }

  async #listen(name: Seen['server']): Promise<string> {
    const server = createServer((request, response) => this.#handle(name, request, response));
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  #handle(server: Seen['server'], request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, server === 'hub' ? this.endpoint : this.#storage);
    const file = server === 'hub' ? /\/resolve\/[^/]+\/(.*)$/.exec(url.pathname)?.[1] : url.searchParams.get('file')!;
    const seen = { server, url, file: file && decodeURIComponent(file), headers: request.headers };
    this.seen.push(seen);
    const answer = server === 'hub' ? this.#answer(url) : this.#store(url);
    if (answer.status === 200) serveRange(request, answer);
    this.spoil(seen, answer);
    send(response, answer);
  }

  #answer(url: URL): Answer {
    const [, repo, kind, revision, path] =
      /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/([^/]+)(?:\/(.*))?$/.exec(url.pathname) ?? [];
    if (!repo || ![...this.#revisions.keys()].some((key) => key.startsWith(`${repo}@`))) {
      return refusal(401, 'RepoNotFound', 'Invalid username or password.');
    }
    const name = decodeURIComponent(revision);
    const commit = this.#revisions.get(`${repo}@${name}`) ?? name;
    const files = this.#commits.get(`${repo}@${commit}`);
    if (!files) return refusal(404, 'RevisionNotFound', `Invalid rev id: ${name}`);
    if (kind === 'revision') return json({ _id: '1', id: repo, sha: commit, lastModified: '2026-01-01T00:00:00.000Z' });
    if (kind === 'tree') return this.#tree(url, files);
    const stored = files.get(decodeURIComponent(path));
    if (!stored) return refusal(404, 'EntryNotFound', 'Entry not found');
    const headers = {
      etag: `"${stored.oid}"`,
      'x-repo-commit': commit,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
    };
    if (stored.lfs === undefined) return { status: 200, headers, body: stored.bytes };
    return {
      status: 302,
      headers: {
        ...headers,
        location: `${this.#storage}/${repo}@${commit}?file=${encodeURIComponent(path)}&signature=x`,
        'x-linked-etag': `"${stored.lfs}"`,
        'x-linked-size': `${stored.bytes.length}`,
      },
      body: Buffer.from('redirecting'),
    };
  }

  /** Page by page. */
  #tree(url: URL, files: Map<string, Stored>): Answer {
    const entries = [...files].map(([path, { bytes, oid, lfs }]) => ({
      type: 'file',
      path,
      size: bytes.length,
      // Of a large file: the pointer's.
      oid: lfs === undefined ? oid : sha('sha1', lfs),
      ...(lfs !== undefined && { lfs: { oid: lfs, size: bytes.length, pointerSize: 130 } }),
    }));
    const folders = new Set(entries.map(({ path }) => path.split('/').slice(0, -1).join('/')).filter(Boolean));
    const all = [
      ...[...folders].map((path) => ({ type: 'directory', path, size: 0, oid: '0'.repeat(40) })),
      ...entries,
    ];
    const start = Number(url.searchParams.get('cursor') ?? 0);
    const answer = json(all.slice(start, start + PAGE));
    if (start + PAGE < all.length) {
      url.searchParams.set('cursor', `${start + PAGE}`);
      answer.headers.link = `<${url.href}>; rel="next"`;
    }
    return answer;
  }

  #store(url: URL): Answer {
    const stored = this.#commits.get(decodeURIComponent(url.pathname.slice(1)))?.get(url.searchParams.get('file')!);
    return stored ? { status: 200, headers: {}, body: stored.bytes } : refusal(403, '', 'AccessDenied');
  }
}

function json(value: unknown): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}

/** As the Hub refuses. */
export function refusal(status: number, code: string, error: string): Answer {
  const answer = json({ error });
  return { ...answer, status, headers: { ...answer.headers, ...(code && { 'x-error-code': code }) } };
}

function serveRange({ headers }: IncomingMessage, answer: Answer): void {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1]);
  if (Number.isNaN(from)) return;
  const size = answer.body.length;
  answer.status = from < size ? 206 : 416;
  answer.headers['content-range'] = from < size ? `bytes ${from}-${size - 1}/${size}` : `bytes */${size}`;
  answer.body = answer.body.subarray(from);
}

function send(response: ServerResponse, { status, headers, body, cutAfter, stallAfter }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  const sent = cutAfter ?? stallAfter;
  if (sent === undefined || sent >= body.length) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, sent), () => {
    // A moment, so that what was sent arrives before the connection breaks.
    if (cutAfter !== undefined) setTimeout(() => response.destroy(), 20);
  });
}
