import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { ReferenceDevice } from '../../../src/engine/reference/device.ts';
import type { EvalContext } from '../../../src/evals/context.ts';
import { AnswerCache } from '../../../src/evals/labels/answer-cache.ts';
import { Endpoint, EndpointError } from '../../../src/evals/labels/endpoint.ts';
import { estimate } from '../../../src/evals/labels/estimate.ts';
import { label, planLabels, type LabelSettings, type Labels, type Plan } from '../../../src/evals/labels/label.ts';
import { labelMetrics } from '../../../src/evals/labels/metrics.ts';
import { temporaryFolder } from '../../activations/folders.ts';
import { FakeEndpoint, type ChatRequest } from '../../support/fake-endpoint.ts';
import { firesOn, forest, knowingAnswer, LATENTS, villageContext, word, WORDS } from './village.ts';

const SETTINGS: LabelSettings = { judge: 'judge', latents: 100, pairs: 100, answerTokens: 80 };
const folder = temporaryFolder();
const CACHE = join(folder.path, 'cache');
afterEach(() => rmSync(CACHE, { recursive: true, force: true }));

const context = (changes: Partial<EvalContext> = {}): EvalContext =>
  villageContext(new ReferenceDevice(), 150, changes);
const plan = (settings: Partial<LabelSettings> = {}): Promise<Plan> =>
  planLabels(context(), { ...SETTINGS, ...settings });

function run(plan: Plan, fake: FakeEndpoint, concurrency = 4): Promise<Labels> {
  const stop = new AbortController();
  const options = { key: 'k', model: 'judge', requestsPerMinute: 60_000, timeoutMs: 5000, firstWaitMs: 1 };
  const endpoint = new Endpoint({ ...options, url: fake.url, signal: stop.signal });
  return label(plan, endpoint, new AnswerCache(CACHE), { concurrency, stop, onProgress: () => {} });
}

const plain = (text: string): string => text.replaceAll(/<<|>>/g, '');

describe('labels', () => {
  it('of somebody who understands the SAE are right, and tell edges from random pairs', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const planned = await plan();
    const labels = await run(planned, fake);
    const byLatent = new Map(labels.latents.map((one) => [one.latent, one.explanation.split(' ')]));
    expect(byLatent.size).toBe(LATENTS);
    for (const [latent, words] of byLatent) {
      const own = Array.from({ length: WORDS }, (_, token) => token).filter((token) => firesOn(latent, token));
      expect(words).toEqual(own.map(word));
    }
    const { metrics } = labelMetrics(labels, planned, 0);
    for (const name of ['detection', 'fuzzing', 'autointerp_accuracy']) {
      expect(metrics[name]).toMatchObject({ value: 1, low: 1, high: 1, n: LATENTS });
    }
    expect(metrics.relation_yes).toMatchObject({ value: 1, n: forest.edgeCount });
    expect(metrics.relation_yes.nulls!.random_pairs).toMatchObject({ value: 0, high: 0 });
    expect(metrics.relation_yes.definition).toContain('the forest that was given');
    expect(labels.unreadable).toBe(0);
  });

  it('of somebody who says yes to everything are at the null', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = ({ messages }) => {
      const [{ content: task }, { content: user }] = messages;
      const texts = user.match(/^\d+\. /gm)!.length;
      if (task.includes('HaveRelationship')) return 'HaveRelationship: [Yes] Confidence: [Low]';
      if (task.includes('Explanation:')) return 'Explanation: anything';
      return JSON.stringify(Array.from({ length: texts }, (_, i) => (task.includes('numbers of those') ? i + 1 : 1)));
    };
    const planned = await plan({ latents: 10, pairs: 10 });
    const { metrics } = labelMetrics(await run(planned, fake), planned, 0);
    expect(metrics.detection.value).toBe(0.5);
    expect(metrics.fuzzing.value).toBe(0.5);
    expect(metrics.autointerp_accuracy.value).toBeCloseTo(4 / 14, 12);
    expect(metrics.relation_yes).toMatchObject({ value: 1, nulls: { random_pairs: { value: 1 } } });
    expect(metrics.relation_yes_high.value).toBe(0);
  });

  it('show texts that hide what is asked: no marks in detection, as many marks on both sides of fuzzing', async () => {
    for (const { shown, detection, prediction, fuzzing, latent } of (await plan()).examples) {
      expect(shown).toHaveLength(15);
      expect(detection.truth.filter(Boolean)).toHaveLength(10);
      expect(prediction.truth.filter(Boolean)).toHaveLength(4);
      expect(fuzzing.truth.filter(Boolean)).toHaveLength(5);
      const fires = (text: string): boolean =>
        text
          .split(' ')
          .some((one) => Array.from({ length: WORDS }, (_, t) => t).some((t) => firesOn(latent, t) && word(t) === one));
      for (const { texts, truth } of [detection, prediction]) {
        texts.forEach((text, i) => {
          expect(text).not.toContain('<<');
          expect(fires(text)).toBe(truth[i]);
        });
      }
      for (const text of fuzzing.texts) expect(text).toContain('<<');
      const seen = new Set(shown.map(plain));
      for (const text of [...detection.texts, ...prediction.texts, ...fuzzing.texts])
        expect(seen.has(plain(text))).toBe(false);
    }
  });

  it('do not depend on the size of the batches, nor on how many requests are under way', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const one = await planLabels(context({ batchRows: 37 }), { ...SETTINGS, latents: 4, pairs: 4 });
    expect(one.examples).toEqual((await plan({ latents: 4, pairs: 4 })).examples);
    const labels = await run(one, fake, 1);
    rmSync(CACHE, { recursive: true });
    expect(await run(one, fake, 16)).toEqual(labels);
  });

  it('go on after the endpoint died: nothing is asked twice, and the result is the same', async () => {
    const whole = await FakeEndpoint.start();
    whole.answer = knowingAnswer;
    const planned = await plan({ latents: 6, pairs: 4 });
    const expected = await run(planned, whole);
    rmSync(CACHE, { recursive: true });

    const dying = await FakeEndpoint.start();
    dying.answer = (request: ChatRequest) => {
      if (dying.seen.length === 30) setImmediate(() => dying.stop());
      return knowingAnswer(request);
    };
    await expect(run(planned, dying)).rejects.toThrow(EndpointError);
    const kept = readdirSync(CACHE).length;
    expect(kept).toBeGreaterThanOrEqual(25);

    const next = await FakeEndpoint.start();
    next.answer = knowingAnswer;
    const left = estimate(planned, new AnswerCache(CACHE), {});
    expect(left.cached).toBe(kept);
    expect(await run(planned, next)).toEqual(expected);
    expect(next.seen).toHaveLength(whole.seen.length - kept);
    expect(left.requests).toBe(next.seen.length);
    expect(estimate(planned, new AnswerCache(CACHE), {})).toMatchObject({ requests: 0, cached: whole.seen.length });
  });

  it('survive failures on the way', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const planned = await plan({ latents: 5, pairs: 3 });
    const expected = await run(planned, fake);
    rmSync(CACHE, { recursive: true });
    fake.fail = (index) =>
      ([{ status: 429, headers: { 'retry-after': '0' } }, { status: 500 }, { body: '{' }, 'break'] as const)[index % 9];
    expect(await run(planned, fake)).toEqual(expected);
  });

  it('are asked for once more when an answer cannot be read, three times in all', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = (request) => (request.messages.length === 2 ? 'I would rather not.' : knowingAnswer(request));
    const planned = await plan({ latents: 3, pairs: 0 });
    const labels = await run(planned, fake);
    expect(labels.unreadable).toBe(0);
    expect(labels.latents.map(({ detection }) => detection)).toEqual([1, 1, 1]);
    rmSync(CACHE, { recursive: true });

    fake.seen.length = 0;
    fake.answer = (request) => (request.messages[0].content.includes('were moved') ? 'no' : knowingAnswer(request));
    const partial = await run(planned, fake);
    expect(partial.unreadable).toBe(3);
    expect(partial.latents.map(({ fuzzing, detection }) => [fuzzing, detection])).toEqual(
      Array.from({ length: 3 }, () => [undefined, 1]),
    );
    expect(fake.asked.filter((text) => text.includes('were moved'))).toHaveLength(9);
    expect(labelMetrics(partial, planned, 0).metrics.fuzzing.insufficient).toBe(
      '0 labelled latents, at least 10 are needed',
    );
  });

  it('are asked for again where a file of the cache is damaged', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const planned = await plan({ latents: 2, pairs: 0 });
    await run(planned, fake);
    const [file] = readdirSync(CACHE);
    writeFileSync(join(CACHE, file), '{"answer": ');
    fake.seen.length = 0;
    await run(planned, fake);
    expect(fake.seen).toHaveLength(1);
    expect(JSON.parse(readFileSync(join(CACHE, file), 'utf8'))).toMatchObject({
      request: { model: 'judge', bound: 80 },
    });
  });

  it('cost what the estimate says', async () => {
    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const planned = await plan({ latents: 4, pairs: 4 });
    const before = estimate(planned, new AnswerCache(CACHE), { input: 2, output: 8 });
    await run(planned, fake);
    expect(before.requests).toBe(fake.seen.length);
    expect(before.completionTokens).toBe(80 * fake.seen.length);
    const characters = fake.seen
      .flatMap(({ body }) => body.messages)
      .reduce((sum, { content }) => sum + content.length, 0);
    expect(before.promptTokens / (characters / 4)).toBeGreaterThan(0.95);
    expect(before.promptTokens / (characters / 4)).toBeLessThan(1.25);
    expect(before.cost).toBeCloseTo((before.promptTokens * 2 + before.completionTokens * 8) / 1e6, 12);
  });

  it('need text, latents that fire, and enough of them for a number', async () => {
    await expect(planLabels(context({ model: 'no model here' }), SETTINGS)).rejects.toThrow(
      /cannot be read: no model here/,
    );
    await expect(planLabels(context({ rows: 40 }), SETTINGS)).rejects.toThrow(InputError);
    const { source } = context();
    const generated = { ...source, heldOut: (start: number, out: Float32Array) => source.heldOut(start, out) };
    await expect(planLabels(context({ source: generated }), SETTINGS)).rejects.toThrow(/come from no text/);
    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const planned = await plan({ latents: 9, pairs: 9 });
    const { metrics } = labelMetrics(await run(planned, fake), planned, 0);
    expect(metrics.detection).toMatchObject({
      value: null,
      insufficient: '9 labelled latents, at least 10 are needed',
    });
    expect(metrics.relation_yes).toMatchObject({
      value: null,
      insufficient: '9 pairs of the forest, at least 10 are needed',
    });
    expect(labelMetrics({ latents: [], pairs: [], unreadable: 0 }, { forest: 'none' }, 0).skipped).toHaveProperty(
      'relation_yes',
    );
  });
});
