/** Small trainings: in this process through the command line's entry, or in one of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { documentLengths, harvest, identity } from '../activations/folders.ts';
import { main } from '../../src/cli/main.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/saeforest.js');

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'saeforest-train-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder of some 600 activations in 40 documents. */
export function makeShards(path: string): string {
  harvest(path, identity(), documentLengths(40));
  return path;
}

/** Settings of a training that takes no time, as flags: of the run, and with those of a model. */
export const SMALL_RUN = sets('batch=32', 'validateEvery=10', 'validateRows=64', 'logEvery=5');
export const SMALL = [...SMALL_RUN, ...sets('width=12', 'k=2')];

export function sets(...settings: string[]): string[] {
  return settings.flatMap((setting) => ['--set', setting]);
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** Runs a command in this process. */
export async function run(...argv: string[]): Promise<Ended> {
  const ended: Ended = { code: null, signal: null, out: '', err: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((ended.out += String(chunk)), true));
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((ended.err += String(chunk)), true));
  try {
    ended.code = await main(argv);
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
  return ended;
}

/** The same with a Ctrl-C as soon as a training listens for it: it then saves after its first step. */
export async function interrupted(...argv: string[]): Promise<Ended> {
  const before = process.listenerCount('SIGINT');
  const timer = setInterval(() => {
    if (process.listenerCount('SIGINT') === before) return;
    clearInterval(timer);
    process.emit('SIGINT');
  }, 5);
  return run(...argv).finally(() => clearInterval(timer));
}

/** Runs a command of the built program. `watch` sees the process, and what it has written to stderr after each piece. */
export function launch(
  argv: readonly string[],
  watch: (child: ChildProcess, err: string) => void = () => undefined,
  env: Record<string, string> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const ended: Ended = { code: null, signal: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => (ended.out += String(chunk)));
  child.stderr.on('data', (chunk) => {
    ended.err += String(chunk);
    watch(child, ended.err);
  });
  watch(child, '');
  return new Promise((resolve) =>
    child.on('close', (...[code, signal]) => resolve(Object.assign(ended, { code, signal }))),
  );
}

/** SHA-256 of every file below a folder, by relative path. */
export function digests(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  return Object.fromEntries(
    paths.map((path) => [path.slice(folder.length), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}

/** Folder of the checkpoint that `latest` names. */
export const latestOf = (runFolder: string): string =>
  join(runFolder, readFileSync(join(runFolder, 'latest'), 'utf8').trim());

/** Every byte of the latest checkpoint, with its name. */
export const finalState = (runFolder: string): unknown => [
  latestOf(runFolder).slice(runFolder.length),
  digests(latestOf(runFolder)),
];

export function metricsOf(runFolder: string): Record<string, unknown>[] {
  const lines = readFileSync(join(runFolder, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The same without what depends on the clock. */
export const timelessMetrics = (runFolder: string): Record<string, unknown>[] =>
  metricsOf(runFolder).map(({ tokens_per_s: _speed, ...line }) => line);

export const jsonOf = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

/** Names of unfinished things anywhere below a folder. */
export function temporaries(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.tmp'));
}
