import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { InputError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { EvalContext } from '../../src/evals/context.ts';
import { evaluateLanguages } from '../../src/evals/languages.ts';
import { readParallelText, worldText } from '../../src/evals/languages/parallel-text.ts';
import { toJson, type SuiteResult } from '../../src/evals/metric.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import type { Sae } from '../../src/sae/architecture.ts';
import { World } from '../../src/world/world.ts';
import { context, linearSae, memorySource, values } from './support.ts';

const device = new ReferenceDevice();
const folder = mkdtempSync(join(tmpdir(), 'languages-'));
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await device.close();
});

const model = await LanguageModel.open(EMBEDDED_MODEL);
const world = new World();
const { d } = model.info;
const harvested = { model, layer: 1, hook: 'resid_post', bosId: 0, dropped: [0], packed: false };

/** 30 random directions, in an order of one's choice. */
function randomSae(order = Array.from({ length: 30 }, (_, i) => i)): Sae {
  const rows = order.map((i) => {
    const random = new Random(5, i);
    return Float32Array.from({ length: d }, () => random.normal());
  });
  const flat = Float32Array.from(rows.flatMap((row) => [...row]));
  return linearSae(device, d, flat, flat);
}

const measure = (sae: Sae, changes: Partial<EvalContext> = {}): Promise<SuiteResult> => {
  const source = memorySource(new Float32Array(d), d);
  return evaluateLanguages(context(device, sae, source, { model: harvested, rows: 3000, batchRows: 512, ...changes }));
};

describe('on the world', async () => {
  const result = await measure(randomSae());

  it('translations are more alike than other sentences', () => {
    const { metrics, skipped } = result;
    expect(skipped).toEqual({});
    for (const name of ['symmetric_difference', 'mention_symmetric_difference', 'jaccard_distance']) {
      const { value, low, high, nulls } = metrics[name];
      expect(low!).toBeLessThanOrEqual(value!);
      expect(high!).toBeGreaterThanOrEqual(value!);
      expect(nulls!.shuffled_pairing.low!).toBeGreaterThan(high!);
    }
    expect(metrics.symmetric_difference.value).toBeGreaterThan(0);
    expect(metrics.symmetric_difference.value).toBeLessThan(16);
    const pairs = ['english_talori', 'english_krend', 'talori_krend'].map(
      (pair) => metrics[`symmetric_difference_${pair}`].value!,
    );
    expect(metrics.symmetric_difference.value).toBeCloseTo((pairs[0] + pairs[1] + pairs[2]) / 3, 9);
    expect(metrics.symmetric_difference.definition).toMatch(/bootstrap over \d\d documents/);
    expect(metrics.redundant_share.insufficient).toMatch(/at least 5 are needed/);
  });

  it('does not depend on the order of the latents, nor on the batches', async () => {
    const order = Array.from({ length: 30 }, (_, i) => (7 * i + 3) % 30);
    const permuted = await measure(randomSae(order));
    const { language_specific: one, ...others } = result.metrics;
    expect(permuted.metrics.language_specific.value).toBeCloseTo(one.value!, 12);
    for (const [name, metric] of Object.entries(others)) expect(permuted.metrics[name], name).toEqual(metric);
    for (const batchRows of [100, 4096]) expect(await measure(randomSae(), { batchRows })).toEqual(result);
  });

  it('reports levels that stand alone, with no more latents than they have', async () => {
    const sae = randomSae();
    const views = [...sae.views, { name: 'three', from: 4, to: 7 }];
    const { metrics, views: measured } = await measure({ ...sae, views });
    expect(values(metrics)).toEqual(values(result.metrics));
    expect(measured.three.symmetric_difference.value).toBeLessThanOrEqual(6);
  });

  it('takes the documents that fit', async () => {
    const few = await measure(randomSae(), { rows: 300 });
    expect(few.metrics.symmetric_difference.insufficient).toMatch(/aligned tokens, at least 20 are needed/);
    expect(few.metrics.symmetric_difference.value).toBeNull();
    expect(toJson(await measure(randomSae(), { rows: 0 }))).toMatchObject({ symmetric_difference: { value: null } });
  });

  it('aligns sentences and mentions', () => {
    const text = worldText(world, model, 20);
    for (let i = 0; i < 20; i++) {
      const { tokens, sentences, mentions, concepts } = text.document(i);
      expect(sentences.at(-1)).toEqual(tokens.map(({ length }) => length - 1));
      for (const aligned of sentences) {
        for (const [l, position] of aligned.entries()) {
          expect(['.', '?']).toContain(world.vocabulary[tokens[l][position]]);
        }
      }
      expect(mentions.length).toBeGreaterThan(2);
      for (const aligned of mentions) {
        const [a, b, c] = aligned.map((position, l) => concepts![l][position]);
        expect([a, b]).toEqual([b, c]);
        expect(a).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

const write = (text: string): void => writeFileSync(join(folder, 'parallel.tsv'), text);
const read = (): unknown => readParallelText(folder, model, 0);

describe('on a file', () => {
  const sentences = Array.from({ length: 30 }, (_, i) =>
    world.parallel('held-out', i).map((version) => world.textOf(version)),
  );
  beforeEach(() => write(['English\tKrend', ...sentences.map(([a, , c]) => `${a}\t${c}`), ''].join('\n')));

  it('measures what needs no concepts', async () => {
    const { metrics, skipped } = await measure(randomSae(), { data: folder });
    expect(Object.keys(metrics)).toEqual([
      'symmetric_difference',
      'symmetric_difference_english_krend',
      'jaccard_distance',
      'language_specific',
    ]);
    expect(metrics.symmetric_difference).toMatchObject({ n: 30 });
    expect(metrics.symmetric_difference.definition).toContain('lines of parallel.tsv');
    expect(skipped.redundant_share).toMatch(/nobody knows the concepts/);
  });

  it('finds no difference between a text and itself', async () => {
    write(['a\tb', ...sentences.map(([text]) => `${text}\t${text}`)].join('\r\n'));
    const { metrics } = await measure(randomSae(), { data: folder });
    expect(metrics.symmetric_difference).toMatchObject({ value: 0, low: 0, high: 0 });
    expect(metrics.jaccard_distance.value).toBe(0);
    expect(metrics.jaccard_distance.nulls!.shuffled_pairing.value).toBeGreaterThan(0);
    expect(metrics.language_specific.value).toBe(0);
  });

  it.each([
    ['a row with too few columns', 'a\tb\nthe cat\n', /line 2 has 1 columns, the first line names 2 languages/],
    ['a row with too many columns', 'a\tb\nx\ty\nx\ty\tz\n', /line 3 has 3 columns, the first line names 2/],
    ['an empty line', 'a\tb\nx\ty\n\nx\ty\n', /line 3 has 1 columns/],
    ['an empty cell', 'a\tb\nx\t \n', /line 2 has no b text/],
    ['a single language', 'a\nthe cat\n', /fewer than two languages/],
    ['a language without a name', 'a\t\nx\ty\n', /without a name/],
    ['a language twice', 'a\tA\nx\ty\n', /names a language twice/],
    ['an empty file', '', /fewer than two languages/],
  ])('refuses %s', (_, text, message) => {
    write(text);
    expect(read).toThrow(InputError);
    expect(read).toThrow(message);
  });

  it('says where there is no text', async () => {
    const none = await measure(randomSae(), { model: 'the language model is gone' });
    expect(none.metrics).toEqual({});
    expect(new Set(Object.values(none.skipped))).toEqual(new Set(['the language model is gone']));
    expect(readParallelText(join(folder, 'nowhere'), model, 0)).toBeUndefined();
  });
});
