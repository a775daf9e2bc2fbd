/** The world that flags describe. */
import { parse } from 'yaml';
import type { LanguageName } from '../world/languages/lexicon.ts';
import { LANGUAGES } from '../world/languages/lexicon.ts';
import { World } from '../world/world.ts';
import { parseAssignments } from './command.ts';

export interface WorldFlags {
  readonly seed?: number | undefined;
  readonly set?: readonly string[] | undefined;
  readonly language?: LanguageName | undefined;
}

/** @throws ConfigError or UsageError */
export function openWorld({ seed, set, language }: WorldFlags): World {
  const settings: Record<string, unknown> = parseAssignments(set ?? [], (value) => parse(value) as unknown);
  if (seed !== undefined) settings.seed = seed;
  if (language !== undefined) settings.languageShares = LANGUAGES.map((name) => (name === language ? 1 : 0));
  return new World(settings);
}
