import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { shareOut } from '../../src/cli/time-encode.ts';
import { run } from '../training/support.ts';

const shape = ['--roots', '12', '--branching', '3', '--d', '16', '--batch', '40', '--repeat', '2', '--threads', '1'];
const positive = z.number().positive();
const result = z.strictObject({
  rows: z.array(
    z.strictObject({
      depth: positive,
      width: positive,
      k: z.array(positive),
      encode_ms: positive,
      model_width: positive,
      model_ms: positive,
      ratio: positive,
      peak_rss_mb: positive,
    }),
  ),
  threads: z.literal(1),
  device: z.string().min(1),
});

describe('bench encode', () => {
  it('times trees in the order asked for, against roots + children of active latents', async () => {
    const { code, out, err } = await run('bench', 'encode', ...shape, '--k', '8', '--depths', '4,2', '--json');
    expect(code, err).toBe(0);
    const { rows } = result.parse(JSON.parse(out));
    expect(rows.map(({ depth, width, k, model_width: model }) => [depth, width, k, model])).toEqual([
      [4, 12 + 36 + 108 + 324, [5, 1, 1, 1], 12 + 3 * 7],
      [2, 12 + 36, [7, 1], 12 + 3 * 7],
    ]);
    for (const { ratio, encode_ms: encode, model_ms: model } of rows) expect(ratio).toBeCloseTo(encode / model, 10);
  });

  it('h-sae has two levels', async () => {
    const { code, out, err } = await run(
      'bench',
      'encode',
      ...shape,
      '--k',
      '8',
      '--arch',
      'h-sae',
      '--depths',
      '2',
      '--json',
    );
    expect(code, err).toBe(0);
    expect(result.parse(JSON.parse(out)).rows[0]).toMatchObject({ depth: 2, width: 48, k: [8, 8] });
    expect(await run('bench', 'encode', ...shape, '--k', '8', '--arch', 'h-sae')).toMatchObject({
      code: 2,
      err: expect.stringContaining('h-sae has two levels, not 4'),
    });
  });

  it.each([
    [['--arch', 'tree'], 'did you mean "tree-sae"?'],
    [['--depths', '2,x'], 'depths: expected whole numbers'],
    [['--depths', '5'], 'published are at most 4'],
    [['--depths', '1'], 'k: 32 active latents on level 0 of 12'],
  ])('%j: says what is wrong', async (flags, message) => {
    const { code, err } = await run('bench', 'encode', ...shape, ...flags);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });

  it('shares k out as published, also at other sizes', () => {
    expect([1, 2, 4].map((depth) => shareOut(32, depth))).toEqual([[32], [26, 6], [21, 5, 4, 2]]);
    for (const k of [4, 7, 16, 64, 100]) {
      const active = shareOut(k, 4);
      expect(active.reduce((sum, n) => sum + n, 0)).toBe(k);
      expect(Math.min(...active)).toBeGreaterThan(0);
    }
  });
});
