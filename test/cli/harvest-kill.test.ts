/** Harvests in processes of their own that are killed or interrupted; needs the built program. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { temporaryFolder } from '../lm/folder.ts';
import { describeWithShared, sharedPath } from '../support/shared.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/saeforest.js');
const KILLS = 10;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** Starts a harvest into `out` and, if asked to, kills it after some ms or interrupts it at its first lines on stderr. */
async function harvest(
  model: string,
  out: string,
  stop: { killAfter?: number; interrupts?: number } = {},
): Promise<Ended> {
  const text = sharedPath('data/tinystories-sample.txt');
  const argv = [PROGRAM, 'harvest', '--json', '--model', model, '--text', text, '--layer', '0', '--tokens', '100k'];
  const child = spawn(process.execPath, [...argv, '--out', out], { stdio: ['ignore', 'pipe', 'pipe'] });
  let interrupts = stop.interrupts ?? 0;
  const ended: Ended = { code: null, signal: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => (ended.out += String(chunk)));
  child.stderr.on('data', (chunk) => {
    ended.err += String(chunk);
    if (interrupts-- > 0) child.kill('SIGINT');
  });
  const timer = stop.killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), stop.killAfter);
  await new Promise((resolve) =>
    child.on('close', (...[code, signal]) => resolve(Object.assign(ended, { code, signal }))),
  );
  clearTimeout(timer);
  return ended;
}

/** sha256 of every file. */
const digests = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );

describeWithShared('lm/stories260k', 'a harvest from the command line', (model) => {
  it('is the same in every byte after ten kills', { timeout: 180_000 }, async () => {
    const whole = join(temporaryFolder(), 'acts');
    const start = performance.now();
    expect(await harvest(model, whole)).toMatchObject({ code: 0 });
    const uninterrupted = performance.now() - start;
    const random = new Random(1, 'kills');
    let kills = 0;
    let resumed = 0;
    while (kills < KILLS) {
      const out = join(temporaryFolder(), 'acts');
      let ended: Ended;
      do {
        // The second half of the kills strikes late, where shards are complete.
        const share = kills < KILLS / 2 ? random.uniform() : 0.5 + 0.5 * random.uniform();
        ended = await harvest(model, out, { killAfter: share * uninterrupted });
        if (ended.signal === 'SIGKILL') kills++;
      } while (ended.signal === 'SIGKILL' && kills < KILLS);
      if (ended.signal === 'SIGKILL') ended = await harvest(model, out);
      expect(ended).toMatchObject({ code: 0, signal: null });
      if ((JSON.parse(ended.out) as { resumed_rows: number }).resumed_rows > 0) resumed++;
      expect(digests(out)).toEqual(digests(whole));
    }
    expect(resumed).toBeGreaterThan(0);
  });

  it('stops cleanly when interrupted, and says how to go on', { timeout: 60_000 }, async () => {
    const out = join(temporaryFolder(), 'acts');
    const ended = await harvest(model, out, { interrupts: 1 });
    expect(ended).toMatchObject({ code: 130, signal: null, out: '' });
    expect(ended.err).toMatch(/^error: interrupted: .*stored/m);
    expect(ended.err).toContain('try: run the same command again');
    expect(ended.err).not.toContain('    at ');
  });

  it('stops at once when interrupted twice', { timeout: 60_000 }, async () => {
    const { code, signal, out } = await harvest(model, join(temporaryFolder(), 'acts'), { interrupts: 2 });
    // It may have ended by itself before the second signal.
    expect([130, 'SIGINT']).toContain(signal ?? code);
    expect(out).toBe('');
  });
});
