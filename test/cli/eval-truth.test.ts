import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { temporaryFolder } from '../activations/folders.ts';
import { launch } from '../training/support.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
afterAll(folder.remove);

const metric = z.object({ value: z.number().nullable(), n: z.number(), definition: z.string() });
const suite = z
  .object({
    views: z.record(z.string(), z.record(z.string(), metric)).default({}),
    skipped: z.record(z.string(), z.string()).default({}),
  })
  .catchall(metric);
const report = z.object({ truth: suite, languages: suite });

async function succeed(...argv: string[]): Promise<string> {
  const { code, out, err } = await launch(argv);
  expect(code, err).toBe(0);
  return out;
}

describe('eval --suite truth,languages', { timeout: 120_000 }, () => {
  it('knows the truth of a toy tree, but no text', async () => {
    const toy = at('toy');
    await succeed(
      'train',
      '--acts',
      'synthetic:toy-tree',
      '--arch',
      'h-sae',
      '--out',
      toy,
      '--tokens',
      '4k',
      '--set',
      'width=16',
      '--set',
      'k=2',
    );
    const out = await succeed('eval', toy, '--suite', 'truth,languages', '--rows', '3k', '--json');
    const { truth, languages } = report.parse(JSON.parse(out));
    expect(truth.mcc).toMatchObject({ n: 20 });
    expect(truth.views.top).toHaveProperty('mcc');
    expect(Object.keys(languages)).toEqual(['views', 'skipped']);
    expect(languages.skipped.symmetric_difference).toMatch(/not harvested from a language model/);
    expect(readFileSync(join(toy, 'evals', 'truth.json'), 'utf8')).toContain('"mcc"');
  });

  describe('on the world', () => {
    const run = at('run');
    beforeAll(async () => {
      const model = ['--model', EMBEDDED_MODEL, '--text', 'world', '--layer', '1'];
      await succeed('harvest', ...model, '--tokens', '8k', '--out', at('acts'));
      await succeed(
        'train',
        '--acts',
        at('acts'),
        '--arch',
        'topk',
        '--out',
        run,
        '--tokens',
        '8k',
        '--set',
        'width=64',
        '--set',
        'k=8',
        '--set',
        'batch=500',
      );
    }, 120_000);

    it('knows concepts and translations', async () => {
      const out = await succeed('eval', run, '--suite', 'truth,languages', '--rows', '3k', '--json');
      const { truth, languages } = report.parse(JSON.parse(out));
      expect(truth.feature_f1.definition).toContain('one to one');
      expect(truth.skipped.mcc).toContain('not known');
      expect(languages.symmetric_difference.value).toBeGreaterThan(0);
      expect(languages.mention_symmetric_difference.n).toBeGreaterThan(50);
    });

    it('takes a file of translations, and refuses one that is ragged', async () => {
      const data = at('data');
      mkdirSync(data, { recursive: true });
      const lines = Array.from({ length: 30 }, () => 'the cat sleeps .\tthe dog sleeps .');
      const write = (last: string): void =>
        writeFileSync(join(data, 'parallel.tsv'), ['a\tb', ...lines, last].join('\n'));
      write('it rests .\tit greets a cat .');
      const argv = ['eval', run, '--suite', 'languages', '--data', data];
      const out = await succeed(...argv, '--json');
      const { languages } = z.object({ languages: suite }).parse(JSON.parse(out));
      expect(languages.symmetric_difference_a_b.n).toBe(31);
      expect(languages.skipped).toHaveProperty('redundant_share');
      write('it rests .');
      const refused = await launch(argv);
      expect([refused.code, refused.out]).toEqual([2, '']);
      expect(refused.err).toContain('line 32 has 1 columns, the first line names 2 languages');
      expect(refused.err).toContain('parallel.tsv');
    });
  });
});
