import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { hubSettings } from '../../../src/lm/hub/settings.ts';
import { temporaryFolder } from '../folder.ts';

const SECRET = 'hf_secret';

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (/^(HF_|HUGGINGFACE)/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', temporaryFolder());
});
afterEach(() => vi.unstubAllEnvs());

function refusal(): string {
  try {
    hubSettings();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).render();
  }
  throw new Error('nothing was refused');
}

describe('hubSettings', () => {
  it('are those of huggingface.co by default', () => {
    expect(hubSettings()).toMatchObject({
      endpoint: 'https://huggingface.co',
      token: undefined,
      cache: join(process.env.HF_HOME!, 'hub'),
      isOffline: false,
      timeoutMs: 30_000,
    });
  });

  it('are read from the environment', () => {
    vi.stubEnv('HF_ENDPOINT', 'http://mirror.example:8080/hf/');
    vi.stubEnv('HF_HUB_CACHE', '/some/cache');
    vi.stubEnv('HF_HUB_OFFLINE', 'ON');
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '2.5');
    vi.stubEnv('HF_TOKEN', SECRET);
    expect(hubSettings()).toMatchObject({
      endpoint: 'http://mirror.example:8080/hf',
      token: SECRET,
      cache: '/some/cache',
      isOffline: true,
      timeoutMs: 2500,
    });
  });

  it('take the token of hf auth login', () => {
    writeFileSync(join(process.env.HF_HOME!, 'token'), `${SECRET}\n`);
    expect(hubSettings().token).toBe(SECRET);
    vi.stubEnv('HF_TOKEN', 'hf_other');
    expect(hubSettings().token).toBe('hf_other');
    vi.stubEnv('HF_TOKEN', undefined);
    vi.stubEnv('HF_TOKEN_PATH', '/nowhere');
    expect(hubSettings().token).toBeUndefined();
  });

  it('refuse nonsense without showing secrets', () => {
    for (const address of ['huggingface.co', 'ftp://x', `https://me:${SECRET}@x`]) {
      vi.stubEnv('HF_ENDPOINT', address);
      expect(refusal()).toMatch(/^HF_ENDPOINT is not the address/);
      expect(refusal()).not.toContain(SECRET);
    }
    vi.stubEnv('HF_ENDPOINT', undefined);
    vi.stubEnv('HF_TOKEN', `${SECRET}\nx`);
    expect(refusal()).toMatch(/^the token .* characters/);
    expect(refusal()).not.toContain(SECRET);
    vi.stubEnv('HF_TOKEN', undefined);
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', 'soon');
    expect(refusal()).toContain('HF_HUB_DOWNLOAD_TIMEOUT is not a number');
  });
});
