/** `saeforest demo` as its users meet it: it runs to the end, says what it found, and goes on after Ctrl-C. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { jsonOf, launch, temporaryFolder } from '../training/support.ts';

const share = z.number().min(0).max(1);
const count = z.number().int().min(0);
const found = z.strictObject({ occurring: count.min(20), found: count, holes: share.nullable() });

const report = z.strictObject({
  out: z.string(),
  seconds: z.number().positive(),
  results: z.array(
    z.looseObject({
      name: z.string(),
      run: z.string(),
      variance_explained: z.number().max(1),
      l0: z.number().min(1).max(12),
      dead_fraction: share,
      own_forest: z.boolean(),
      kinds: found,
      leaves: found,
      links: z.strictObject({ links: count, right: share.nullable(), by_chance: share }),
    }),
  ),
});

it('goes on where it was interrupted, and reports what each architecture found', { timeout: 300_000 }, async () => {
  const out = join(temporaryFolder(), 'demo');
  const argv = ['demo', '--quick', '--out', out, '--json'];
  // Once while activations are harvested, once while SAEs are trained.
  for (const isTime of [
    (said: string) => /harvest .*rows/.test(said),
    () => existsSync(join(out, 'saes', 'h-sae', 'run.json')),
  ]) {
    let said = '';
    let isAsked = false;
    const stopped = await launch(argv, (child, err) => {
      if (said === '') {
        const timer = setInterval(() => {
          if (child.exitCode === null && !isTime(said)) return;
          clearInterval(timer);
          isAsked = child.exitCode === null && child.kill('SIGINT');
        }, 2);
      }
      said = err;
    });
    expect(isAsked).toBe(true);
    // Between two parts of the work nothing has to be saved: there the signal itself ends the program, which shells call 130 too.
    if (stopped.signal !== 'SIGINT') expect(stopped.code, stopped.err).toBe(130);
  }
  const { code, out: printed, err } = await launch(argv);
  expect(code, err).toBe(0);
  expect(err).toContain('1/3');
  const { results } = report.parse(JSON.parse(printed));
  expect(results.map(({ name, own_forest }) => [name, own_forest])).toEqual([
    ['topk', false],
    ['tree-sae', true],
    ['h-sae', true],
  ]);
  for (const { run, variance_explained: explained, leaves } of results) {
    expect(jsonOf(join(run, 'run.json'))).toMatchObject({ state: 'done' });
    expect(explained).toBeGreaterThan(0.3);
    expect(leaves.found).toBeLessThanOrEqual(leaves.occurring);
  }
  // What is complete is not done again, and says the same.
  const again = await launch(argv);
  expect(again.err).toContain('nothing to do');
  const numbers = (text: string): unknown => report.parse(JSON.parse(text)).results;
  expect(numbers(again.out)).toEqual(numbers(printed));
});
