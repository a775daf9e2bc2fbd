/** How the Hub is reached, by the environment variables that Hugging Face's own tools read. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { getHFHubCachePath, HUB_URL } from '@huggingface/hub';
import { UsageError } from '../../core/errors.ts';

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Folder of all cached repositories, shared with Hugging Face's other tools. */
  readonly cache: string;
  readonly isOffline: boolean;
  /** A request is given up when nothing was received for so long. */
  readonly timeoutMs: number;
  /** Pauses between attempts; when they are used up without progress, the Hub is unreachable. */
  readonly pausesMs: readonly number[];
}

const TIMEOUT_S = 30;
const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

/**
 * HF_ENDPOINT, HF_TOKEN (or the file of `hf auth login`), HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and
 * HF_HUB_DOWNLOAD_TIMEOUT (seconds).
 * @throws UsageError for a variable that makes no sense; the token is never shown
 */
export function hubSettings(): HubSettings {
  const { env } = process;
  const timeout = Number(env.HF_HUB_DOWNLOAD_TIMEOUT || TIMEOUT_S);
  if (!(timeout > 0)) {
    throw new UsageError('HF_HUB_DOWNLOAD_TIMEOUT is not a number of seconds', { hint: `${TIMEOUT_S}` });
  }
  return {
    endpoint: readEndpoint(env.HF_ENDPOINT || HUB_URL),
    token: readToken(),
    cache: getHFHubCachePath(),
    isOffline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ''),
    timeoutMs: 1000 * timeout,
    pausesMs: PAUSES_MS,
  };
}

function readEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    // Not shown: it may hold a password.
    throw new UsageError('HF_ENDPOINT is not the address of a server', { hint: 'HF_ENDPOINT=https://huggingface.co' });
  }
  return url.href.replace(/\/+$/, '');
}

function readToken(): string | undefined {
  const { env } = process;
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface');
  const file = env.HF_TOKEN_PATH ?? join(home, 'token');
  const token = (env.HF_TOKEN || (existsSync(file) ? readFileSync(file, 'utf8') : '')).trim();
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new UsageError('the token of the Hub contains characters that no token has', {
      where: env.HF_TOKEN ? 'HF_TOKEN' : file,
    });
  }
  return token || undefined;
}
