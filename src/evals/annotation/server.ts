/** The local page on which people answer items. Nothing but this machine can reach it, and no other page can speak to it. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { OutputError, SaeforestError, UsageError, hasErrorCode } from '../../core/errors.ts';
import { AnswerRefused, type AnswerStore } from './answer-store.ts';
import { ABOUT, type Item } from './items.ts';

const HOST = '127.0.0.1';
const MAX_BODY = 4096;

/** The only files that are served. */
const PAGE = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
} as const;

const asset = (name: string): string =>
  readFileSync(new URL(`../../../assets/annotate/${name}`, import.meta.url), 'utf8');

const answerSchema = z.strictObject({ annotator: z.string(), item: z.string(), answer: z.string() });

/** @param isOwnHost whether a Host header names this server: a name that points here from elsewhere does not */
export function annotationApp(items: readonly Item[], store: AnswerStore, isOwnHost: (host: string) => boolean): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    if (!isOwnHost(context.req.header('host') ?? ''))
      return context.text('this server answers to its own address only', 403);
    const origin = context.req.header('origin');
    if (origin !== undefined && !isOwnHost(origin.replace(/^http:\/\//, ''))) {
      return context.text('requests of other pages are refused', 403);
    }
    await next();
    context.header('Cache-Control', 'no-store');
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Content-Security-Policy', "default-src 'self'; img-src data:; frame-ancestors 'none'");
    return undefined;
  });
  app.use(bodyLimit({ maxSize: MAX_BODY, onError: (context) => context.json({ error: 'too large' }, 413) }));
  app.onError((error, context) => {
    if (error instanceof AnswerRefused) return context.json({ error: error.message }, 400);
    if (error instanceof SaeforestError) return context.json({ error: error.message }, 500);
    throw error;
  });
  for (const [path, [name, type]] of Object.entries(PAGE)) {
    const content = asset(name);
    app.get(path, (context) => context.body(content, 200, { 'content-type': type }));
  }
  app.get('/api/items', (context) => context.json({ kinds: ABOUT, items }));
  app.get('/api/answers', (context) => context.json(store.answers(context.req.query('annotator') ?? '')));
  app.put('/api/answers', async (context) => {
    // A form of another page cannot send this type without asking first.
    if (context.req.header('content-type') !== 'application/json') return context.json({ error: 'expected JSON' }, 415);
    const parsed = answerSchema.safeParse(parseJson(await context.req.text()));
    if (!parsed.success) return context.json({ error: 'expected annotator, item and answer' }, 400);
    const { annotator, item, answer } = parsed.data;
    store.give(annotator, item, answer);
    return context.json({ saved: true });
  });
  return app;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface RunningServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param port 0 for any that is free
 * @throws UsageError for a port that is taken
 */
export async function serveItems(items: readonly Item[], store: AnswerStore, port: number): Promise<RunningServer> {
  let own: readonly string[] = [];
  const app = annotationApp(items, store, (host) => own.includes(host));
  const server = serve({ fetch: app.fetch, hostname: HOST, port });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  }).catch((error: unknown) => {
    if (hasErrorCode(error, 'EADDRINUSE'))
      throw new UsageError(`port ${port} is taken`, { hint: '--port 0 takes any that is free' });
    if (hasErrorCode(error, 'EACCES')) throw new OutputError(`port ${port} may not be used`, { hint: '--port 0' });
    throw error;
  });
  const { port: actual } = server.address() as AddressInfo;
  own = [`${HOST}:${actual}`, `localhost:${actual}`];
  return {
    url: `http://${HOST}:${actual}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
