/** What takes long to make and can be made again. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** SAEFOREST_CACHE, else `saeforest` in XDG_CACHE_HOME or ~/.cache. It may be deleted at any time. */
export function cacheFolder(): string {
  const { SAEFOREST_CACHE: own, XDG_CACHE_HOME: common } = process.env;
  return own || join(common || join(homedir(), '.cache'), 'saeforest');
}

/** Name for what was made from some values. */
export function cacheKey(values: unknown): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 32);
}
