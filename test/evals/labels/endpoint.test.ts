import { describe, expect, it } from 'vitest';
import { InterruptedError, UsageError } from '../../../src/core/errors.ts';
import { Endpoint, EndpointError, type EndpointOptions } from '../../../src/evals/labels/endpoint.ts';
import { FakeEndpoint, type Failure } from '../../support/fake-endpoint.ts';

const KEY = 'sk-very-secret';
const QUESTION = [{ role: 'user', content: 'what?' }] as const;

function open(fake: { url: string }, changes: Partial<EndpointOptions> = {}): Endpoint {
  return new Endpoint({
    url: fake.url,
    key: KEY,
    model: 'judge',
    requestsPerMinute: 60_000,
    timeoutMs: 5000,
    firstWaitMs: 1,
    signal: new AbortController().signal,
    ...changes,
  });
}

const ask = (endpoint: Endpoint): Promise<string> => endpoint.complete(QUESTION, 50);

async function failureOf(promise: Promise<unknown>): Promise<EndpointError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(EndpointError);
  expect((error as EndpointError).render()).not.toContain(KEY);
  return error as EndpointError;
}

/** Fails the first requests, in this order. */
const first =
  (...failures: Failure[]) =>
  (index: number): Failure | undefined =>
    failures[index];

describe('an endpoint', () => {
  it('is asked with key, model, bound and temperature 0, and nothing of the environment', async () => {
    const fake = await FakeEndpoint.start();
    process.env.OPENAI_ORG_ID = 'org-mine';
    try {
      expect(await ask(open(fake))).toBe('Explanation: something');
    } finally {
      delete process.env.OPENAI_ORG_ID;
    }
    const [{ body, headers }] = fake.seen;
    expect(body).toEqual({ model: 'judge', messages: [...QUESTION], max_tokens: 50, temperature: 0 });
    expect(headers.authorization).toBe(`Bearer ${KEY}`);
    expect(headers['openai-organization']).toBeUndefined();
  });

  it.each<[string, Failure]>([
    ['500', { status: 500 }],
    ['503', { status: 503 }],
    ['429 without a time', { status: 429 }],
    ['malformed JSON', { body: '{"choices": [' }],
    ['a broken connection', 'break'],
  ])('is asked again after %s', async (_, failure) => {
    const fake = await FakeEndpoint.start();
    fake.fail = first(failure, failure);
    expect(await ask(open(fake))).toBe('Explanation: something');
    expect(fake.seen).toHaveLength(3);
  });

  it('is given the time that it asks for', async () => {
    const fake = await FakeEndpoint.start();
    fake.fail = first({ status: 429, headers: { 'retry-after': '0.3' } });
    await ask(open(fake));
    const [before, after] = fake.seen;
    expect(after.at - before.at).toBeGreaterThanOrEqual(290);
  });

  it('is not waited for when it asks for hours', async () => {
    const fake = await FakeEndpoint.start();
    fake.fail = () => ({ status: 429, headers: { 'retry-after': '7200' } });
    const error = await failureOf(ask(open(fake)));
    expect(error.hint).toContain('--requests-per-minute');
    expect(fake.seen).toHaveLength(1);
  });

  it.each<Failure>(['hang', 'hang in the body'])(
    'that does %s is given up after its time, and asked again',
    async (failure) => {
      const fake = await FakeEndpoint.start();
      fake.fail = first(failure);
      expect(await ask(open(fake, { timeoutMs: 200 }))).toBe('Explanation: something');
      fake.fail = () => failure;
      const error = await failureOf(ask(open(fake, { timeoutMs: 50 })));
      expect(error.message).toBe('the endpoint did not answer in time (6 attempts)');
    },
  );

  it.each([
    [401, 'check the key'],
    [403, 'check the key'],
    [404, '--model-name'],
    [400, '--model-name'],
  ])('that refuses with %i is not asked again', async (status, hint) => {
    const fake = await FakeEndpoint.start();
    fake.fail = () => ({ status, error: { message: `no: ${KEY}` } });
    const error = await failureOf(ask(open(fake)));
    expect(error.message).toContain(`${status} no: ***`);
    expect(error.hint).toContain(hint);
    expect(fake.seen).toHaveLength(1);
  });

  it('is not asked again when the quota is used up', async () => {
    const fake = await FakeEndpoint.start();
    fake.fail = () => ({ status: 429, error: { code: 'insufficient_quota' } });
    await failureOf(ask(open(fake)));
    expect(fake.seen).toHaveLength(1);
  });

  it('is given up after six attempts', async () => {
    const fake = await FakeEndpoint.start();
    fake.fail = () => ({ status: 500 });
    expect((await failureOf(ask(open(fake)))).message).toContain('(6 attempts)');
    expect(fake.seen).toHaveLength(6);
  });

  it('that cannot be reached is not waited for, unless it answered before', async () => {
    const fake = await FakeEndpoint.start();
    const endpoint = open(fake);
    await ask(endpoint);
    fake.stop();
    expect((await failureOf(ask(endpoint))).message).toMatch(/cannot be reached \(6 attempts\): ECONNREFUSED/);
    expect((await failureOf(ask(open(fake)))).message).toBe('the endpoint cannot be reached: ECONNREFUSED');
  });

  it('of another kind is named as such', async () => {
    const fake = await FakeEndpoint.start();
    const wrong = await failureOf(ask(open({ url: fake.url.replace('/v1', '') })));
    expect(wrong.message).toContain('404');
    expect(wrong.hint).toContain('/v1');
    fake.fail = () => ({ body: '<html>', type: 'text/html' });
    expect((await failureOf(ask(open(fake)))).message).toBe(
      'the endpoint\'s answer is not a chat completion: received "<html>"',
    );
    fake.fail = () => ({ body: '{"object": "list"}' });
    await failureOf(ask(open(fake)));
    expect(fake.seen).toHaveLength(2);
  });

  it('may want other names for the bound, and no temperature', async () => {
    const fake = await FakeEndpoint.start();
    fake.fail = (_, body) => {
      if ('max_tokens' in body)
        return { status: 400, error: { message: "use 'max_completion_tokens'", param: 'max_tokens' } };
      if ('temperature' in body) return { status: 400, error: { message: 'unsupported', param: 'temperature' } };
      return undefined;
    };
    const endpoint = open(fake);
    await ask(endpoint);
    await ask(endpoint);
    expect(fake.seen).toHaveLength(4);
    expect(fake.seen[3].body).toEqual({ model: 'judge', messages: [...QUESTION], max_completion_tokens: 50 });
  });

  it('is not asked faster than allowed', async () => {
    const fake = await FakeEndpoint.start();
    const endpoint = open(fake, { requestsPerMinute: 600 });
    const began = performance.now();
    await Promise.all(Array.from({ length: 4 }, () => ask(endpoint)));
    // They leave 100 ms apart; a timer may be early by less than a millisecond each.
    expect(performance.now() - began).toBeGreaterThan(295);
  });

  it('is left when the work is stopped', async () => {
    const fake = await FakeEndpoint.start();
    fake.fail = () => 'hang';
    const stop = new AbortController();
    const asked = ask(open(fake, { signal: stop.signal }));
    setTimeout(() => stop.abort(), 50);
    await expect(asked).rejects.toBeInstanceOf(InterruptedError);
  });

  it.each(['', 'api.openai.com', 'ftp://x/v1', 'http://me:secret@x/v1', 'http://x/v1?key=secret'])(
    'cannot have the address "%s"',
    (url) => {
      expect(() => open({ url })).toThrow(UsageError);
      expect(() => open({ url })).toThrow(/address/);
    },
  );
});
