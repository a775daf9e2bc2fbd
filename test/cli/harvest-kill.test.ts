/** Harvests in processes of their own that are killed or interrupted; needs the built program. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MANIFEST_FILE, readManifest } from '../../src/activations/manifest.ts';
import { Random } from '../../src/core/random.ts';
import { temporaryFolder } from '../lm/folder.ts';
import { describeWithShared, sharedPath } from '../support/shared.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/saeforest.js');
const KILLS = 4;
/** Where chance lets every kill strike too early or too late, further ones follow. */
const MOST_KILLS = 24;

/** Flags, and the folders that come of them. */
const HARVESTS = [
  { what: 'one site', flags: ['--layer', '0'], folders: ['.'] },
  {
    what: 'several sites of packed documents',
    flags: ['--layer', '0,1', '--hook', 'resid_post,attn_out', '--pack', '--context', '128'],
    folders: ['resid_post-0', 'attn_out-0', 'resid_post-1', 'attn_out-1'],
  },
];

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

interface Stop {
  /** Kill it so many ms after its start or, with `afterShard`, after every one of `folders` has its first shard. */
  killAfter?: number;
  afterShard?: boolean;
  folders?: readonly string[];
  /** Interrupt it at so many of its first lines on stderr. */
  interrupts?: number;
}

/** A harvest of two shards, the first of them complete after four fifths of the time. */
async function harvest(model: string, out: string, flags: readonly string[], stop: Stop = {}): Promise<Ended> {
  const text = sharedPath('data/tinystories-sample.txt');
  const argv = [PROGRAM, 'harvest', '--json', '--model', model, '--text', text, '--tokens', '100k', ...flags];
  const child = spawn(process.execPath, [...argv, '--out', out], { stdio: ['ignore', 'pipe', 'pipe'] });
  let interrupts = stop.interrupts ?? 0;
  const ended: Ended = { code: null, signal: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => (ended.out += String(chunk)));
  child.stderr.on('data', (chunk) => {
    ended.err += String(chunk);
    if (interrupts-- > 0) child.kill('SIGINT');
  });
  const kill = (after: number): void => void setTimeout(() => child.kill('SIGKILL'), after).unref();
  const { killAfter, afterShard = false, folders = [] } = stop;
  const watch = setInterval(() => {
    if (killAfter === undefined || (afterShard && !folders.every((folder) => hasShard(join(out, folder))))) return;
    clearInterval(watch);
    kill(killAfter);
  }, 5);
  await new Promise((resolve) =>
    child.on('close', (...[code, signal]) => resolve(Object.assign(ended, { code, signal }))),
  );
  clearInterval(watch);
  return ended;
}

/** Paths of all files. */
const filesOf = (folder: string): string[] =>
  !existsSync(folder)
    ? []
    : readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((file) => join(file.parentPath, file.name).slice(folder.length + 1))
        .sort();

/** Whether a harvest would go on from a shard: it is in the manifest. */
const hasShard = (folder: string): boolean =>
  existsSync(join(folder, MANIFEST_FILE)) && readManifest(folder).shards.length > 0;

/** sha256 of every file. */
const digests = (folder: string): Record<string, string> =>
  Object.fromEntries(
    filesOf(folder).map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );

describeWithShared('lm/stories260k', 'a harvest from the command line', (model) => {
  it.each(HARVESTS)('of $what is the same in every byte after kills', { timeout: 240_000 }, async (which) => {
    const { flags, folders } = which;
    const whole = join(temporaryFolder(), 'acts');
    const start = performance.now();
    const ended = await harvest(model, whole, flags);
    expect(ended, ended.err).toMatchObject({ code: 0 });
    for (const folder of folders) expect(readManifest(join(whole, folder))).toMatchObject({ complete: true });
    const uninterrupted = performance.now() - start;
    const random = new Random(1, 'kills');
    let kills = 0;
    let resumed = 0;
    while (kills < KILLS || (resumed === 0 && kills < MOST_KILLS)) {
      const out = join(temporaryFolder(), 'acts');
      let ended: Ended;
      do {
        // Every other kill strikes when there is something to go on with.
        const afterShard = kills % 2 === 1;
        const killAfter = random.uniform() * uninterrupted * (afterShard ? 0.05 : 1);
        ended = await harvest(model, out, flags, { killAfter, afterShard, folders });
        if (ended.signal === 'SIGKILL') kills++;
      } while (ended.signal === 'SIGKILL' && kills % KILLS !== 0);
      if (ended.signal === 'SIGKILL') ended = await harvest(model, out, flags);
      // A kill may strike after the last byte was written: then the next run has nothing to do and says so.
      if (!/already complete/.test(ended.err)) {
        expect(ended).toMatchObject({ code: 0, signal: null });
        if ((JSON.parse(ended.out) as { resumed_rows: number }).resumed_rows > 0) resumed++;
      }
      expect(digests(out)).toEqual(digests(whole));
    }
    expect(resumed).toBeGreaterThan(0);
  });

  it('stops cleanly when interrupted, and says how to go on', { timeout: 60_000 }, async () => {
    const out = join(temporaryFolder(), 'acts');
    const ended = await harvest(model, out, ['--layer', '0'], { interrupts: 1 });
    expect(ended).toMatchObject({ code: 130, signal: null, out: '' });
    expect(ended.err).toMatch(/^error: interrupted: .*stored/m);
    expect(ended.err).toContain('try: run the same command again');
    expect(ended.err).not.toContain('    at ');
  });

  it('stops at once when interrupted twice', { timeout: 60_000 }, async () => {
    const { code, signal, out } = await harvest(model, join(temporaryFolder(), 'acts'), ['--layer', '0'], {
      interrupts: 2,
    });
    // It may have ended by itself before the second signal.
    expect([130, 'SIGINT']).toContain(signal ?? code);
    expect(out).toBe('');
  });
});
