import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readResult } from '../../src/evals/result-files.ts';
import { temporaryFolder } from '../activations/folders.ts';
import { knowingAnswer } from '../evals/labels/village.ts';
import { FakeEndpoint } from '../support/fake-endpoint.ts';
import { run, trainOnWorld } from './world-run.ts';

const KEY = 'sk-very-secret';
const folder = temporaryFolder();
let sae: string;
beforeAll(async () => {
  sae = await trainOnWorld(folder.path);
}, 120_000);
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});
afterAll(folder.remove);

const label = (...more: string[]): ReturnType<typeof run> =>
  run(
    'label',
    sae,
    '--model-name',
    'judge',
    '--latents',
    '14',
    '--pairs',
    '3',
    '--requests-per-minute',
    '60000',
    ...more,
  );

const filesUnder = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('label', () => {
  it('says what it costs without an endpoint or a key', async () => {
    vi.stubEnv('OPENAI_API_KEY', undefined);
    const { code, out, err } = await label('--estimate', '--price-in', '2', '--price-out', '8', '--json');
    expect(code, err).toBe(0);
    const { estimate } = JSON.parse(out) as { estimate: Record<string, number> };
    expect(estimate.requests).toBeGreaterThan(50);
    expect(estimate.cost).toBeCloseTo((estimate.promptTokens * 2 + estimate.completionTokens * 8) / 1e6, 9);
    expect(existsSync(join(sae, 'evals', 'labels'))).toBe(false);
  });

  it('sends nothing without --yes where nobody can be asked', async () => {
    const fake = await FakeEndpoint.start();
    vi.stubEnv('OPENAI_API_KEY', KEY);
    const { code, err } = await label('--endpoint', fake.url);
    expect(code).toBe(2);
    expect(err).toMatch(/requests[\s\S]*nothing was sent/);
    expect(fake.seen).toEqual([]);
  });

  it('goes on after the endpoint died, stores metrics and explanations, and the key nowhere', async () => {
    vi.stubEnv('LABEL_KEY', KEY);
    const dying = await FakeEndpoint.start();
    dying.answer = knowingAnswer;
    dying.fail = (index) => (index < 30 ? undefined : { status: 403, error: { message: `expired: ${KEY}` } });
    const first = await label('--endpoint', dying.url, '--key-env', 'LABEL_KEY', '--yes');
    expect(first.code).toBe(2);
    expect(first.err).toContain('expired: ***');
    expect(first.err).not.toContain(KEY);
    expect(existsSync(join(sae, 'evals', 'labels.json'))).toBe(false);

    const fake = await FakeEndpoint.start();
    fake.answer = knowingAnswer;
    const { code, out, err } = await label('--endpoint', fake.url, '--key-env', 'LABEL_KEY', '--yes');
    expect(code, err).toBe(0);
    expect(err).toContain('30 more are answered already');
    expect(out).toMatch(/^detection +(0|1)\.\d+ /m);
    const stored = readResult(sae, 'labels')!;
    expect(stored.measured).toMatchObject({ judge: 'judge', latents: 14, pairs: 3, seed: 0 });
    expect(stored.result.metrics.detection.value).toBeGreaterThan(0.55);
    expect(stored.result.metrics.detection.replicates).toHaveLength(1000);
    const lines = readFileSync(join(sae, 'evals', 'labels', 'explanations.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(lines).toHaveLength(stored.result.metrics.detection.n);
    expect(JSON.parse(lines[0])).toMatchObject({
      latent: expect.any(Number) as number,
      explanation: expect.any(String) as string,
      frequency: expect.any(Number) as number,
    });
    for (const path of filesUnder(sae)) expect(readFileSync(path).includes(KEY)).toBe(false);

    const sent = fake.seen.length;
    const again = await label('--endpoint', fake.url, '--key-env', 'LABEL_KEY', '--json');
    expect(again.code, again.err).toBe(0);
    expect(fake.seen).toHaveLength(sent);
    expect(JSON.parse(again.out)).toEqual({
      labels: (JSON.parse(readFileSync(join(sae, 'evals', 'labels.json'), 'utf8')) as { labels: unknown }).labels,
    });
  });

  it('refuses what cannot work before it reads anything', async () => {
    vi.stubEnv('OPENAI_API_KEY', undefined);
    const url = 'http://127.0.0.1:9/v1';
    const noKey = await label('--endpoint', url, '--yes');
    expect([noKey.code, noKey.err]).toEqual([
      2,
      expect.stringContaining('the variable OPENAI_API_KEY of the environment is not set'),
    ]);
    const none = await label('--yes');
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('--endpoint is required')]);
    vi.stubEnv('OPENAI_API_KEY', KEY);
    const wrong = await label('--endpoint', 'api.openai.com', '--yes');
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('not the address of an endpoint')]);
    const onLine = await label('--endpoint', url, '--key', KEY);
    expect([onLine.code, onLine.err]).toEqual([2, expect.stringContaining('unknown option "--key"')]);
    const latents = await label('--endpoint', url, '--concurrency', '0');
    expect([latents.code, latents.err]).toEqual([2, expect.stringContaining('concurrency')]);
  });

  it('names an endpoint that cannot be reached', async () => {
    const fake = await FakeEndpoint.start();
    fake.stop();
    vi.stubEnv('OPENAI_API_KEY', KEY);
    const { code, err } = await run(
      'label',
      sae,
      '--model-name',
      'other',
      '--endpoint',
      fake.url,
      '--latents',
      '2',
      '--yes',
    );
    expect(code).toBe(2);
    expect(err).toContain('the endpoint cannot be reached: ECONNREFUSED');
  });

  it('names activations that have no text', async () => {
    vi.stubEnv('OPENAI_API_KEY', KEY);
    const toy = join(folder.path, 'toy');
    const sets = ['--set', 'width=16', '--set', 'k=2', '--set', 'batch=500'];
    expect(
      (await run('train', '--acts', 'synthetic:toy-tree', '--arch', 'topk', '--tokens', '1k', '--out', toy, ...sets))
        .code,
    ).toBe(0);
    const { code, err } = await run('label', toy, '--model-name', 'judge', '--estimate');
    expect(code).toBe(2);
    expect(err).toContain('not harvested from a language model');
  });
});
