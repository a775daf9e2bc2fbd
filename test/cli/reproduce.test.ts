/** `saeforest reproduce` in processes of its own, at the scale that decides nothing; needs the built program. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { launch, temporaryFolder } from '../training/support.ts';

interface Entry {
  id: string;
  verdict: string | null;
  command: string;
  rule: string;
  result: { comparisons: { outcome: string; difference: { value: number; low: number; high: number } }[] } | null;
}

describe('reproduce', () => {
  it('lists every claim with its rule and command', { timeout: 60_000 }, async () => {
    const { code, out } = await launch(['reproduce', '--list', '--json', '--results', temporaryFolder()]);
    expect(code).toBe(0);
    const entries = JSON.parse(out) as Entry[];
    expect(entries.length).toBeGreaterThan(40);
    for (const { id, verdict, command, rule } of entries) {
      expect(command).toContain(`saeforest reproduce ${id}`);
      expect(rule).not.toBe('');
      expect(verdict).toBeNull();
    }
  });

  it('tests a claim, keeps the result, and goes on where it was interrupted', { timeout: 300_000 }, async () => {
    const folder = temporaryFolder();
    const [work, results] = [join(folder, 'work'), join(folder, 'results')];
    const argv = ['reproduce', 'hsae-recon', '--scale', 'tiny', '--work', work, '--results', results, '--json'];
    const stopped = await launch(argv, (child, err) => {
      if (err.includes('core:')) child.kill('SIGINT');
    });
    if (stopped.signal !== 'SIGINT') expect(stopped.code, stopped.err).toBe(130);
    const trained = readdirSync(join(work, 'runs', 'W')).map((name) => join(work, 'runs', 'W', name, 'config.yaml'));
    const written = trained.map((path) => statSync(path).mtimeMs);
    const { code, out, err } = await launch(argv);
    expect(code, err).toBe(0);
    expect(trained.map((path) => statSync(path).mtimeMs)).toEqual(written);
    const [{ verdict, result }] = JSON.parse(out) as Entry[];
    expect(['holds', 'does not hold', 'mixed']).toContain(verdict);
    for (const { difference } of result!.comparisons) {
      expect(difference.low).toBeLessThanOrEqual(difference.value);
      expect(difference.high).toBeGreaterThanOrEqual(difference.value);
    }
    const file = join(results, 'tiny', 'hsae-recon.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ id: 'hsae-recon', scale: 'tiny', verdict });
    const again = await launch(argv);
    expect(again.code).toBe(0);
    expect(again.err).toContain('tested before');
    expect(JSON.parse(again.out)).toEqual(JSON.parse(out));
  });

  it.each([
    [['hsae-recn'], /hsae-recon/],
    [['--scale', 'huge'], /tiny/],
    [['hsae-recon', '--model', 'models/none'], /--text/],
  ])('refuses %j', { timeout: 60_000 }, async (argv, says) => {
    const work = join(temporaryFolder(), 'work');
    const { code, err, out } = await launch(['reproduce', ...argv, '--work', work]);
    expect(code).toBe(2);
    expect(err).toMatch(says);
    expect(out).toBe('');
    expect(existsSync(work)).toBe(false);
  });

  it('names a result file that is damaged', { timeout: 60_000 }, async () => {
    const results = temporaryFolder();
    const path = join(results, 'small', 'hsae-recon.json');
    mkdirSync(join(results, 'small'));
    writeFileSync(path, '{"id": "hsae-recon"}');
    const { code, err } = await launch(['reproduce', '--list', '--results', results]);
    expect(code).toBe(2);
    expect(err).toContain(path);
  });
});
