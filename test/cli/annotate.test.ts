import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../activations/folders.ts';
import { run, trainOnWorld } from './world-run.ts';

interface KeyFile {
  items: { id: string; kind: string; condition: string }[];
}
const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let sae: string;
beforeAll(async () => {
  sae = await trainOnWorld(folder.path);
  const { code, err } = await run(
    'annotate',
    'export',
    sae,
    '--items',
    '36',
    '--kinds',
    'detection,coherence',
    '--out',
    at('items.csv'),
  );
  expect(code, err).toBe(0);
}, 120_000);
afterAll(folder.remove);

const key = (): KeyFile => JSON.parse(readFileSync(at('items.key.json'), 'utf8')) as KeyFile;

/** Fills in the answers of somebody who sees everything. */
function answer(name: string): string {
  const rows = key().items.map(({ id, kind, condition }) => {
    const isTarget = condition === 'fires' || condition === 'latent';
    return `${id},${name},${kind === 'detection' ? (isTarget ? 'yes' : 'no') : isTarget ? '5' : '2'}`;
  });
  const path = at(`${name}.csv`);
  writeFileSync(path, `item,annotator,answer\n${rows.join('\n')}\n`);
  return path;
}

describe('annotate', () => {
  it('exports items as CSV and as JSON, the same ones, with the key apart', async () => {
    const json = await run(
      'annotate',
      'export',
      sae,
      '--items',
      '36',
      '--kinds',
      'detection,coherence',
      '--out',
      at('b.json'),
      '--key',
      at('k.json'),
      '--json',
    );
    expect(json.code, json.err).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({ items: key().items.length, out: at('b.json'), key: at('k.json') });
    const ids = (JSON.parse(readFileSync(at('b.json'), 'utf8')) as { item: string }[]).map(({ item }) => item);
    expect(key().items.map(({ id }) => id)).toEqual(ids);
    const csv = readFileSync(at('items.csv'), 'utf8');
    expect(ids.length).toBeGreaterThan(20);
    for (const id of ids) expect(csv).toContain(id);
    for (const word of ['fires', 'silent', 'mixed']) expect(csv.split(/\W/)).not.toContain(word);
  });

  it('serves the items to a page and stops cleanly', async () => {
    const program = join(import.meta.dirname, '../../bin/saeforest.js');
    const child = spawn(process.execPath, [
      program,
      'annotate',
      'serve',
      at('items.csv'),
      '--out',
      at('answers'),
      '--port',
      '0',
      '--json',
    ]);
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    let out = '';
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (chunk) => {
        out += String(chunk);
        if (out.trimEnd().endsWith('}')) resolve((JSON.parse(out) as { url: string }).url);
      });
      child.once('exit', () => reject(new Error('the server ended')));
    });
    const { items } = (await (await fetch(`${url}api/items`)).json()) as { items: { id: string }[] };
    expect(items.map(({ id }) => id)).toEqual(key().items.map(({ id }) => id));
    const body = JSON.stringify({
      annotator: 'anna',
      item: key().items.find(({ kind }) => kind === 'detection')!.id,
      answer: 'yes',
    });
    const saved = await fetch(`${url}api/answers`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(saved.status).toBe(200);
    const busy = await run('annotate', 'serve', at('items.csv'), '--out', at('answers'));
    expect([busy.code, busy.err]).toEqual([2, expect.stringContaining('in use by process')]);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(readFileSync(at('answers/anna.csv'), 'utf8')).toContain(',anna,yes,');
  });

  it('scores agreement and conditions', async () => {
    const { code, out, err } = await run(
      'annotate',
      'score',
      answer('anna'),
      answer('ben'),
      '--key',
      at('items.key.json'),
      '--json',
    );
    expect(code, err).toBe(0);
    const { kinds, annotators } = JSON.parse(out) as {
      kinds: Record<string, Record<string, { value: number; n: number }>>;
      annotators: string[];
    };
    expect(annotators).toEqual(['anna', 'ben']);
    expect(kinds.detection.cohen_kappa.value).toBe(1);
    expect(kinds.detection.accuracy.value).toBe(1);
    expect(kinds.coherence.cohen_kappa_quadratic.value).toBe(1);
    const table = await run('annotate', 'score', at('anna.csv'), '--key', at('items.key.json'));
    expect(table.out).toMatch(/fleiss_kappa +insufficient.* one annotator, at least 2 are needed/);
  });

  it('refuses what does not belong together', async () => {
    const score = (text: string, ...more: string[]): ReturnType<typeof run> => {
      writeFileSync(at('x.csv'), text);
      return run('annotate', 'score', at('x.csv'), '--key', at('items.key.json'), ...more);
    };
    const refusals = [
      [await score('item,annotator,answer\nother,anna,yes\n'), 'not one of these items'],
      [await score('item,annotator,answer\n'), 'nobody has answered'],
      [await run('annotate', 'score', at('anna.csv'), at('anna.csv'), '--key', at('items.key.json')), 'twice'],
      [await run('annotate', 'score', at('anna.csv'), '--key', at('nowhere.json')), 'no such file'],
      [await run('annotate', 'score', '--key', at('items.key.json')), 'files: is required'],
      [await run('annotate', 'serve', at('items.key.json'), '--out', at('answers')), 'items'],
      [await run('annotate', 'export', sae, '--out', at('items.txt')), '.csv or .json'],
      [await run('annotate', 'export', sae, '--kinds', 'relatio', '--out', at('i.csv')), 'did you mean "relation"?'],
    ] as const;
    for (const [{ code, err }, message] of refusals) {
      expect(err).toContain(message);
      expect(code).toBe(2);
    }
  });
});
