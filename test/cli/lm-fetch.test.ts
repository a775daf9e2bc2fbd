/** Models of the Hub from the command line, in processes of their own; needs the built program. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readManifest } from '../../src/activations/manifest.ts';
import { main } from '../../src/cli/main.ts';
import { openHarvestedModel } from '../../src/evals/harvested-model.ts';
import { FakeHub, refusal } from '../support/fake-hub.ts';
import { temporaryFolder } from '../lm/folder.ts';
import { ONNX, REPO, TOKEN } from '../lm/hub/harness.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/saeforest.js');
const MODEL = 'onnx/model.onnx';

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

interface Stage {
  hub: FakeHub;
  home: string;
  env: Record<string, string>;
}

async function stage(): Promise<Stage> {
  const hub = await FakeHub.start();
  hub.publish('tiny/model', REPO);
  const home = temporaryFolder();
  return { hub, home, env: { HF_ENDPOINT: hub.endpoint, HF_HOME: home, HF_TOKEN: TOKEN } };
}

/**
 * @param onStart is given a way to end it
 * @param shell commands before it
 */
async function launch(
  argv: readonly string[],
  env: Record<string, string>,
  onStart?: (kill: (signal: NodeJS.Signals) => void) => void,
  shell = '',
): Promise<Ended> {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('HF_'));
  const child = spawn('sh', ['-c', `${shell}exec "$@"`, 'sh', process.execPath, PROGRAM, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(clean), ...env },
  });
  const ended: Ended = { code: null, signal: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => (ended.out += String(chunk)));
  child.stderr.on('data', (chunk) => (ended.err += String(chunk)));
  onStart?.((signal) => child.kill(signal));
  await new Promise<void>((resolve) =>
    child.on('close', (code, signal) => {
      Object.assign(ended, { code, signal });
      resolve();
    }),
  );
  expect(ended.err + ended.out).not.toContain(TOKEN);
  return ended;
}

const blobsOf = (home: string): string => join(home, 'hub/models--tiny--model/blobs');

/** Bytes of the model that are here, of a download that was not completed. */
function bytesKept(home: string): number {
  if (!existsSync(blobsOf(home))) return 0;
  const part = readdirSync(blobsOf(home)).find((name) => name.length > 64 && name.endsWith('.incomplete'));
  return part === undefined ? 0 : statSync(join(blobsOf(home), part)).size;
}

afterEach(() => vi.unstubAllEnvs());

describe('lm inspect', () => {
  it('takes a model of the Hub', { timeout: 60_000 }, async () => {
    const { env } = await stage();
    const ended = await launch(['lm', 'inspect', 'hf:tiny/model', '--json'], env);
    expect(ended).toMatchObject({ code: 0, signal: null });
    expect(JSON.parse(ended.out)).toMatchObject({ architecture: 'TinyForCausalLM', layers: 2, d: 8 });
    expect(ended.err).toMatch(/^onnx\/model.onnx .* MB · in all .*\/s$/m);
  });

  it('says in one message what is wrong', { timeout: 60_000 }, async () => {
    const { env } = await stage();
    for (const [reference, message] of [
      ['hf:tiny', '"hf:tiny" does not name a model on the Hub'],
      ['hf:tiny/other', 'there is no model tiny/other'],
    ]) {
      const { code, out, err } = await launch(['lm', 'inspect', reference, '--json'], env);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(new RegExp(`^error: ${message}.*\\n(  in: .*\\n)?  try: .*\\n$`));
    }
  });
});

describe('lm fetch', () => {
  it('prints the folder, and downloads nothing twice', { timeout: 60_000 }, async () => {
    const { env, hub } = await stage();
    const first = await launch(['lm', 'fetch', 'hf:tiny/model'], env);
    expect(first).toMatchObject({ code: 0 });
    expect(readFileSync(join(first.out.trim(), MODEL))).toEqual(Buffer.from(ONNX));
    const downloads = hub.downloads.length;
    const second = await launch(['lm', 'fetch', 'hf:tiny/model', '--json'], env);
    expect(JSON.parse(second.out)).toMatchObject({ path: first.out.trim(), received_bytes: 0 });
    expect(hub.downloads.length).toBe(downloads);
    const offline = await launch(['lm', 'fetch', 'hf:tiny/model'], { ...env, HF_HUB_OFFLINE: '1' });
    expect(offline).toMatchObject({ code: 0, out: first.out });
    expect(offline.err).toContain('offline (HF_HUB_OFFLINE): using hf:tiny/model@');
  });

  it('takes references only', async () => {
    let err = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((err += String(chunk)), true));
    expect(await main(['lm', 'fetch', 'models/tiny'])).toBe(2);
    vi.restoreAllMocks();
    expect(err).toContain('"models/tiny" does not name a model on the Hub');
  });

  it('goes on where it was killed', { timeout: 60_000 }, async () => {
    const { env, hub, home } = await stage();
    const half = Math.floor(ONNX.length / 2);
    hub.spoil = ({ server }, answer) => {
      if (server === 'storage') answer.stallAfter = half;
    };
    const killed = await launch(['lm', 'fetch', 'hf:tiny/model'], env, (kill) => {
      void vi.waitUntil(() => bytesKept(home) === half, { timeout: 30_000, interval: 5 }).then(() => kill('SIGKILL'));
    });
    expect(killed).toMatchObject({ signal: 'SIGKILL', out: '' });
    hub.spoil = () => {};
    hub.seen.length = 0;
    const resumed = await launch(['lm', 'fetch', 'hf:tiny/model', '--json'], env);
    expect(resumed).toMatchObject({ code: 0 });
    expect(hub.downloads).toEqual([`${MODEL} bytes=${half}-`]);
    const { path, received_bytes: received } = JSON.parse(resumed.out) as { path: string; received_bytes: number };
    expect(received).toBe(ONNX.length - half);
    expect(readFileSync(join(path, MODEL))).toEqual(Buffer.from(ONNX));
  });

  it('stops on Ctrl-C, and goes on', { timeout: 60_000 }, async () => {
    const { env, hub, home } = await stage();
    hub.spoil = ({ server }, answer) => {
      if (server === 'storage') answer.stallAfter = 1000;
    };
    const stopped = await launch(['lm', 'fetch', 'hf:tiny/model'], env, (kill) => {
      void vi.waitUntil(() => bytesKept(home) === 1000, { timeout: 30_000, interval: 5 }).then(() => kill('SIGINT'));
    });
    expect(stopped).toMatchObject({ code: 130, signal: null, out: '' });
    expect(stopped.err).toMatch(/error: interrupted: .*kept\n {2}try: run the same command again/);
    hub.spoil = () => {};
    expect(await launch(['lm', 'fetch', 'hf:tiny/model'], env)).toMatchObject({ code: 0 });
    expect(hub.downloads.at(-1)).toBe(`${MODEL} bytes=1000-`);
  });

  it('keeps what fits on a disk that is full, and goes on', { timeout: 60_000 }, async () => {
    const { env, hub } = await stage();
    // A limit to the size of files, which fails as a full disk does.
    const full = await launch(['lm', 'fetch', 'hf:tiny/model'], env, undefined, 'ulimit -f 4; ');
    expect(full).toMatchObject({ code: 2, out: '' });
    expect(full.err).toMatch(
      /error: the disk is full.*\n {2}in: .*\n {2}try: free some space and run the same command/,
    );
    expect(await launch(['lm', 'fetch', 'hf:tiny/model'], env)).toMatchObject({ code: 0 });
    expect(hub.downloads.at(-1)).toMatch(/^onnx\/model.onnx bytes=(2048|4096)-$/);
  });

  it('by two processes at once is one download', { timeout: 60_000 }, async () => {
    const { env, hub } = await stage();
    const both = await Promise.all([1, 2].map(() => launch(['lm', 'fetch', 'hf:tiny/model'], env)));
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both[0].out).toBe(both[1].out);
    expect(hub.downloads.filter((name) => name.startsWith(MODEL))).toEqual([MODEL]);
  });
});

describe('a harvest', () => {
  it('remembers the reference, and evaluations find the model again', { timeout: 60_000 }, async () => {
    const { env, hub } = await stage();
    const folder = temporaryFolder();
    const [text, acts] = [join(folder, 'text.txt'), join(folder, 'acts')];
    writeFileSync(text, 'the dog sees the cat\n<|endoftext|>\nthe cat sees\n');
    const argv = [
      'harvest',
      '--model',
      'hf:tiny/model',
      '--text',
      text,
      '--layer',
      '1',
      '--tokens',
      '5',
      '--out',
      acts,
    ];
    const ended = await launch([...argv, '--context', '8', '--threads', '1', '--json'], env);
    expect(ended).toMatchObject({ code: 0 });
    const { path } = readManifest(acts).identity.model;
    expect(path).toMatch(/^hf:tiny\/model@[0-9a-f]{40}$/);

    // On another machine the cache is empty.
    vi.stubEnv('HF_ENDPOINT', hub.endpoint);
    vi.stubEnv('HF_HOME', temporaryFolder());
    vi.stubEnv('HF_HUB_CACHE', undefined);
    const notes: string[] = [];
    const onNote = (line: string): void => void notes.push(line);
    hub.spoil = (_, answer) => void Object.assign(answer, refusal(404, 'RepoNotFound', 'gone'));
    expect(await openHarvestedModel({ acts }, undefined, { onNote })).toMatch(
      /^there is no model tiny\/model .*--model FOLDER/,
    );
    await expect(openHarvestedModel({ acts }, 'hf:tiny/model')).rejects.toThrow('there is no model tiny/model');
    hub.spoil = () => {};
    const harvested = await openHarvestedModel({ acts }, undefined, { onNote });
    if (typeof harvested === 'string') throw new Error(harvested);
    expect(harvested.layer).toBe(1);
    expect(harvested.model.info.layers).toBe(2);
    expect(notes).toEqual([]);
  });
});
