import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { EXIT, InputError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import type { HarvestedModel } from '../../src/evals/context.ts';
import type { SuiteResult } from '../../src/evals/metric.ts';
import { evaluateProbing } from '../../src/evals/probing.ts';
import { readTokenNouns } from '../../src/evals/probing/nouns.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import type { View } from '../../src/sae/architecture.ts';
import { temporaryFolder } from '../activations/folders.ts';
import { describeWithShared } from '../support/shared.ts';
import { axes, context, linearSae, memorySource, sample } from './support.ts';

let device: CpuDevice;
beforeAll(async () => (device = await CpuDevice.create()));
afterAll(() => device.close());
const folder = temporaryFolder();
afterAll(folder.remove);

async function harvestedFrom(path: string, layer: number): Promise<HarvestedModel> {
  const model = await LanguageModel.open(path);
  const bosId = model.tokenizer.bosId!;
  return { model, layer, hook: 'resid_post', bosId, dropped: [bosId], packed: false };
}

/** Rows of a matrix in another order. */
function permuted(W: Float32Array, d: number, seed: number): Float32Array {
  const random = new Random(seed);
  const keys = Float64Array.from({ length: W.length / d }, () => random.uniform());
  const order = Uint32Array.from(keys.keys()).sort((a, b) => keys[a] - keys[b]);
  return Float32Array.from({ length: W.length }, (_, at) => W[order[Math.floor(at / d)] * d + (at % d)]);
}

const value = ({ metrics }: SuiteResult, name: string): number => metrics[name].value!;

describe('probing of the embedded world', () => {
  it('orders floor, latents and ceiling; batches and the order of latents decide nothing', async () => {
    const model = await harvestedFrom(EMBEDDED_MODEL, 1);
    const { d } = model.model.info;
    const source = memorySource(sample(500, d).acts, d);
    const W = axes(d);
    const measure = (matrix: Float32Array, batchRows: number, views?: readonly View[]): Promise<SuiteResult> =>
      evaluateProbing(
        context(device, linearSae(device, d, matrix, matrix, undefined, views), source, { model, batchRows }),
      );
    const views = [
      { name: 'full', from: 0, to: 2 * d },
      { name: 'positive', from: 0, to: d },
    ];
    const first = await measure(W, 512, views);
    expect(first.skipped).toEqual({});
    expect(Object.keys(first.metrics)).toEqual(
      ['probing', 'probe_world_kinds', 'probe_world_words'].flatMap((name) =>
        ['k1', 'k2', 'k5', 'dense'].map((probe) => `${name}_${probe}`),
      ),
    );
    for (const task of ['probing', 'probe_world_kinds', 'probe_world_words']) {
      expect(value(first, `${task}_dense`)).toBeGreaterThan(0.95);
      expect(value(first, `${task}_dense`)).toBeGreaterThan(value(first, `${task}_k5`));
      expect(value(first, `${task}_k5`)).toBeGreaterThan(value(first, `${task}_k1`));
      expect(value(first, `${task}_k1`)).toBeGreaterThan(0.55);
      const { nulls, low, high } = first.metrics[`${task}_k1`];
      expect(nulls!.random_sae).toMatchObject({ draws: 3 });
      expect(nulls!.majority.value).toBe(0.5);
      expect(low).toBeLessThan(value(first, `${task}_k1`));
      expect(high).toBeGreaterThan(value(first, `${task}_k1`));
      // A view has a part of the latents to choose from.
      expect(first.views.positive[`${task}_k5`].value).toBeGreaterThan(0.5);
      expect(first.views.positive[`${task}_k5`].nulls).toBeUndefined();
    }
    const other = await measure(permuted(W, d, 7), 100);
    for (const [name, { value }] of Object.entries(first.metrics)) {
      // Axes whose differences are nearly the same may change places.
      expect(Math.abs(other.metrics[name].value! - value!)).toBeLessThan(0.005);
    }
  }, 240_000);

  it('has nothing to probe without a model', async () => {
    const source = memorySource(sample(10, 4).acts, 4);
    const result = await evaluateProbing(context(device, linearSae(device, 4, axes(4), axes(4)), source));
    expect(result).toEqual({
      metrics: {},
      views: {},
      skipped: Object.fromEntries(
        ['k1', 'k2', 'k5', 'dense'].map((probe) => [`probing_${probe}`, 'no model in this test']),
      ),
    });
  });
});

const TOKEN_HEADER =
  'token_id\ttoken\tlemma\tsynset\tnoun_tag_count\tother_pos_tag_count\tsense1_tag_count\ttoken_count\tdoc_count\twhole_word_fraction\tdepth\thypernym_chain';
const nounRow = (id: string, token: string): string =>
  `${id}\t${token}\tcat\tcat.n.01\t1\t0\t1\t1\t1\t1.0\t9\tcat.n.01 animal.n.01 entity.n.01`;

describe('tables of nouns', () => {
  it.each([
    ['99999999', 'cat', 'this model has tokens 0 to'],
    ['7', 'no such token', 'for this model it is'],
    ['seven', 'cat', 'says that token seven'],
  ])('that give token %s as %s are refused: they belong to another vocabulary', async (id, token, reason) => {
    const model = await LanguageModel.open(EMBEDDED_MODEL);
    writeFileSync(join(folder.path, 'world-token-nouns.tsv'), `${TOKEN_HEADER}\n${nounRow(id, token)}\n`);
    expect(() => readTokenNouns(folder.path, model)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(reason) as string, exitCode: EXIT.usage }),
    );
  });

  it('that fit give the kinds of every token', async () => {
    const model = await LanguageModel.open(EMBEDDED_MODEL);
    const row = nounRow('7', model.tokenizer.token(7));
    writeFileSync(join(folder.path, 'world-token-nouns.tsv'), `${TOKEN_HEADER}\n${row}\n`);
    expect(readTokenNouns(folder.path, model)).toEqual(new Map([[7, { word: 'cat', kinds: ['animal.n.01'] }]]));
  });
});

describeWithShared('lm/stories260k', 'probing of labelled texts', (path) => {
  const topics = ['the cat and the dog ran', 'she ate a red apple'];
  const line = (split: string, i: number): string => `${split}\ttopic ${i % 2}\t${topics[i % 2]} ${i} times.`;
  const lines = (split: string, count: number): string[] => Array.from({ length: count }, (_, i) => line(split, i));
  const write = (train: number, test: number): void =>
    writeFileSync(
      join(folder.path, 'banking77.tsv'),
      ['split\tcategory\ttext', ...lines('train', train), ...lines('test', test)].join('\n'),
    );
  const measure = async (): Promise<SuiteResult> => {
    const model = await harvestedFrom(path, 2);
    const { d } = model.model.info;
    const source = memorySource(sample(200, d).acts, d);
    return evaluateProbing(
      context(device, linearSae(device, d, axes(d), axes(d)), source, { model, data: folder.path }),
    );
  };

  it('tells two topics apart, and says which files are missing', async () => {
    write(80, 40);
    const result = await measure();
    expect(value(result, 'probe_banking77_dense')).toBe(1);
    expect(value(result, 'probe_banking77_k5')).toBeGreaterThan(0.9);
    expect(result.metrics.probe_banking77_k1.n).toBe(80);
    expect(result.metrics.probe_banking77_k1.definition).toContain('over 40 test texts');
    expect(result.skipped.probe_clinc150_intent_k1).toBe('the folder has no clinc150.tsv');
    expect(result.skipped.probe_wordnet_dense).toBe('the folder has no wordnet-nouns.tsv');
  });

  it('gives no number for too few texts', async () => {
    write(30, 12);
    const { metrics } = await measure();
    for (const name of ['probe_banking77_k1', 'probing_k1']) {
      expect(metrics[name].value).toBeNull();
      expect(metrics[name].insufficient).toBeTypeOf('string');
      expect(metrics[name].nulls).toBeUndefined();
    }
  });

  it('refuses a file that is damaged', async () => {
    writeFileSync(join(folder.path, 'banking77.tsv'), 'category\ttext\n');
    await expect(measure()).rejects.toThrow(InputError);
  });
});
