import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AnswerStore } from '../../../src/evals/annotation/answer-store.ts';
import type { Item } from '../../../src/evals/annotation/items.ts';
import { serveItems } from '../../../src/evals/annotation/server.ts';
import { temporaryFolder } from '../../activations/folders.ts';

const ITEMS: Item[] = [
  { id: 'r', kind: 'relation', a: ['<<a>> b'], b: ['c'] },
  { id: 'c', kind: 'coherence', a: ['<<d>>'], b: [] },
];

async function start(folder = newFolder()): Promise<{ url: string; folder: string; close: () => Promise<void> }> {
  const server = await serveItems(ITEMS, new AnswerStore(folder, ITEMS), 0);
  onTestFinished(() => server.close());
  return { url: server.url, folder, close: () => server.close() };
}

function newFolder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

const put = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}api/answers`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

/** With headers that fetch does not let through. */
const statusOf = (url: string, headers: Record<string, string>, path = '/api/items'): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    request({ hostname, port, path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });

describe('the annotation page', () => {
  it('is served with its script and style, and nothing else is', async () => {
    const { url } = await start();
    const page = await fetch(url);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    const html = await page.text();
    for (const [, name] of html.matchAll(/(?:src|href)="(page\.\w+)"/g)) {
      expect((await fetch(url + name)).status).toBe(200);
    }
    for (const path of [
      '/index.html',
      '/../package.json',
      '/..%2f..%2fpackage.json',
      '/page.js/../../x',
      '/.git/config',
    ]) {
      expect(await statusOf(url, {}, path)).toBe(404);
    }
  });

  it('shows items without a word of the key', async () => {
    const { url } = await start();
    const text = await (await fetch(`${url}api/items`)).text();
    expect(JSON.parse(text)).toMatchObject({ items: ITEMS, kinds: { relation: { answers: ['yes', 'no'] } } });
  });

  it('saves every answer at once, and goes on after a restart', async () => {
    const { url, folder, close } = await start();
    expect((await put(url, { annotator: 'Anna', item: 'r', answer: 'yes' })).status).toBe(200);
    expect(readFileSync(join(folder, 'anna.csv'), 'utf8')).toMatch(/^\ufeffitem,annotator,answer,time\nr,anna,yes,20/);
    await put(url, { annotator: 'anna', item: 'c', answer: '4' });
    await put(url, { annotator: 'anna', item: 'r', answer: 'no' });
    await put(url, { annotator: 'ben', item: 'r', answer: 'yes' });
    expect(readdirSync(folder).sort()).toEqual(['anna.csv', 'ben.csv']);
    await close();
    const again = await start(folder);
    const answers = await (await fetch(`${again.url}api/answers?annotator=ANNA`)).json();
    expect(answers).toEqual({ r: 'no', c: '4' });
  });

  it.each([
    ['another item', { annotator: 'anna', item: 'x', answer: 'yes' }],
    ['another answer', { annotator: 'anna', item: 'r', answer: '3' }],
    ['a name that leads elsewhere', { annotator: '../anna', item: 'r', answer: 'yes' }],
    ['no name', { annotator: '', item: 'r', answer: 'yes' }],
    ['more than was asked for', { annotator: 'anna', item: 'r', answer: 'yes', admin: true }],
    ['no JSON', '{'],
  ])('refuses %s, and writes nothing', async (_, body) => {
    const { url, folder } = await start();
    const response = await put(url, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toHaveProperty('error');
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(join(folder, '..', 'anna.csv'))).toBe(false);
  });

  it('refuses bodies that are too large or of another type', async () => {
    const { url } = await start();
    expect((await put(url, { annotator: 'a'.repeat(10_000), item: 'r', answer: 'yes' })).status).toBe(413);
    expect(
      (await put(url, { annotator: 'anna', item: 'r', answer: 'yes' }, { 'content-type': 'text/plain' })).status,
    ).toBe(415);
  });

  it('answers to its own address only', async () => {
    const { url } = await start();
    const { port, hostname } = new URL(url);
    expect(hostname).toBe('127.0.0.1');
    expect(await statusOf(url, { host: `localhost:${port}` })).toBe(200);
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${Number(port) + 1}`]) {
      expect(await statusOf(url, { host })).toBe(403);
    }
    expect(await statusOf(url, { host: `127.0.0.1:${port}`, origin: 'http://evil.example' })).toBe(403);
    expect(await statusOf(url, { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` })).toBe(200);
  });

  it('does not begin on the answers to other items, or on a port that is taken', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'anna.csv'), 'item,annotator,answer\nz,anna,yes\n');
    expect(() => new AnswerStore(folder, ITEMS)).toThrow(/not one of these items/);
    writeFileSync(join(folder, 'anna.csv'), 'item,annotator,answer\nr,ben,yes\n');
    expect(() => new AnswerStore(folder, ITEMS)).toThrow(/an answer of ben in the file of anna/);
    const { url } = await start();
    const port = Number(new URL(url).port);
    await expect(serveItems(ITEMS, new AnswerStore(newFolder(), ITEMS), port)).rejects.toThrow(`port ${port} is taken`);
  });
});
