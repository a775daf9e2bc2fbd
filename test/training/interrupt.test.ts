/** Ctrl-C in a process of its own; needs the built program. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finalState, jsonOf, launch, SMALL, sets, temporaryFolder } from './support.ts';

const FLAGS = [
  '--acts',
  'synthetic:toy-tree',
  '--sae',
  'topk',
  '--sae',
  'h-sae',
  ...SMALL,
  ...sets('checkpointEvery=50'),
];

describe('Ctrl-C', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'saves, says how to go on, and loses no bit: %s',
    { timeout: 60_000 },
    async (signal) => {
      const [whole, out] = ['whole', 'run'].map((name) => join(temporaryFolder(), name));
      const flags = [...FLAGS, '--tokens', '6400'];
      expect(await launch(['train', '--out', whole, ...flags])).toMatchObject({ code: 0 });
      let sent = false;
      const stopped = await launch(['train', '--out', out, ...flags, '--json'], (child, err) => {
        // The first line of progress comes with the first step.
        if (!sent && err !== '') sent = child.kill(signal);
      });
      expect(stopped, stopped.err).toMatchObject({ code: 130, signal: null, out: '' });
      expect(stopped.err).toMatch(
        /^error: stopped after step \d+ of 200; everything is saved\n {2}try: the same command with --resume/m,
      );
      for (const name of ['topk', 'h-sae']) {
        expect(jsonOf(join(out, name, 'run.json'))).toMatchObject({ state: 'interrupted' });
      }
      expect(await launch(['train', '--resume', '--out', out])).toMatchObject({ code: 0 });
      for (const name of ['topk', 'h-sae']) expect(finalState(join(out, name))).toEqual(finalState(join(whole, name)));
    },
  );

  it('stops at once when it comes twice', { timeout: 60_000 }, async () => {
    const out = join(temporaryFolder(), 'run');
    // A step takes long enough for both signals to arrive while it runs.
    const flags = [...FLAGS, '--tokens', '50M', ...sets('batch=65536', 'width=512', 'logEvery=1')];
    let sent = 0;
    const stopped = await launch(['train', '--out', out, ...flags], (child, err) => {
      if (sent === 0 && err !== '') sent = Number(child.kill('SIGINT'));
      if (sent === 1 && err.includes('once more to stop at once')) sent += Number(child.kill('SIGINT'));
    });
    // Ended by the signal itself, which a shell reports as 130.
    expect(stopped, stopped.err).toMatchObject({ code: null, signal: 'SIGINT', out: '' });
    expect(stopped.err).not.toContain('everything is saved');
    expect(existsSync(join(out, 'topk', 'latest'))).toBe(true);
  });
});
