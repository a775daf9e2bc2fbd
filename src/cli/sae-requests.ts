/** The SAEs that `train` is asked for: `--sae NAME:key=value,key=value`, or the list `saes` of a configuration file. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { unknownName } from '../core/config.ts';
import { ConfigError, UsageError } from '../core/errors.ts';
import { architectureNamed } from '../sae/registry.ts';
import { commonKeys, flattenConfig, type RunConfig } from '../training/config.ts';

/** One SAE as it was asked for. */
export interface SaeRequest {
  /** undefined where nobody named an architecture. */
  arch: unknown;
  /** Keys for this SAE alone. */
  keys: Record<string, unknown>;
  /** How the user wrote it, for messages. */
  where: string;
}

/** Keys of the whole run that an SAE may have for itself: its inputs are normalised apart from those of the others. */
const SHARED_BY_CHOICE = ['normalize'];

/** Where an SAE takes its activations from a language model that runs during the training: one pass serves them all. */
const SITE_KEYS = ['layer', 'hook'];

/** @param text `h-sae` or `h-sae:k=16,atoms=8`; values are YAML, commas in brackets belong to them. @throws UsageError */
export function parseSaeFlag(text: string, parseScalar: (text: string) => unknown): SaeRequest {
  const where = `--sae ${text}`;
  const [, arch, settings] = /^([^:]*)(?::(.*))?$/s.exec(text)!;
  const keys: Record<string, unknown> = {};
  for (const setting of settings === undefined ? [] : splitAtCommas(settings)) {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
    if (key === undefined) {
      throw new UsageError(`${where}: expected key=value, received "${setting}"`, {
        hint: '--sae topk:width=4096,k=32',
      });
    }
    if (Object.hasOwn(keys, key)) throw new UsageError(`${where}: ${key} is given twice`);
    try {
      keys[key] = parseScalar(value);
    } catch (error) {
      throw new UsageError(`${where}: ${(error as Error).message.split('\n')[0]}`, {
        hint: 'values are YAML: 32, 1e-3, true, null, [1, 2], text',
        cause: error,
      });
    }
  }
  return { arch, keys, where };
}

/** Pieces between the commas outside of brackets. */
function splitAtCommas(text: string): string[] {
  const pieces = [''];
  let depth = 0;
  for (const letter of text) {
    if ('[{'.includes(letter)) depth++;
    if (']}'.includes(letter)) depth--;
    if (letter === ',' && depth <= 0) pieces.push('');
    else pieces[pieces.length - 1] += letter;
  }
  return pieces;
}

const listSchema = z
  .array(z.looseObject({ arch: z.string() }), { error: 'expected a list such as [{arch: topk, k: 16}, {arch: h-sae}]' })
  .min(1, 'expected at least one SAE');

/** The list `saes` of a configuration file. @throws ConfigError */
export function readSaeList(list: unknown, file: string): SaeRequest[] {
  const parsed = listSchema.safeParse(list);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new ConfigError(`saes${path.map((step) => `.${String(step)}`).join('')}: ${message}`, { where: file });
  }
  return parsed.data.map(({ arch, ...keys }, i) => ({ arch, keys, where: `${file}, saes.${i} (${arch})` }));
}

/** @throws ConfigError for keys that the architecture does not have, or that only a whole run can have */
export function checkKeys({ arch, keys, where }: SaeRequest): void {
  if (typeof arch !== 'string') return;
  const known = [...Object.keys(architectureNamed(arch).schema.shape), ...SHARED_BY_CHOICE, ...SITE_KEYS];
  for (const key of Object.keys(keys).filter((name) => !known.includes(name))) {
    if (commonKeys.includes(key)) {
      throw new ConfigError(`${key} is a key of the whole run: all its SAEs see the same batches`, {
        where,
        hint: `--set ${key}=${String(keys[key])}, or train in separate runs`,
      });
    }
    throw new ConfigError(unknownName('key', key, known), { where });
  }
}

/** The keys of an SAE as those of a run, which has its site under `live`. @throws ConfigError for a site in other runs */
export function siteKeys({ keys, where }: SaeRequest, isLive: boolean): Record<string, unknown> {
  const entries = Object.entries(keys);
  const site = entries.filter(([key]) => SITE_KEYS.includes(key));
  if (site.length === 0) return keys;
  if (!isLive) {
    throw new ConfigError(`${site[0][0]} is for live training: a folder holds the activations of one site`, {
      where,
      hint: '--acts live --model FOLDER --text FILE',
    });
  }
  const own = Object.fromEntries(entries.filter(([key]) => !SITE_KEYS.includes(key)));
  return { ...own, live: Object.fromEntries(site) };
}

const isMapping = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** All keys, the later ones first; those of `live` one by one. */
export function mergeKeys(...layers: readonly Record<string, unknown>[]): Record<string, unknown> {
  const all: Record<string, unknown> = Object.assign({}, ...layers);
  const lives = layers.map(({ live }) => live).filter((live) => live !== undefined);
  if (lives.length > 1 && lives.every(isMapping)) all.live = Object.assign({}, ...lives);
  return all;
}

/**
 * Names of the SAEs of one run, which their folders have: the architecture, and where it occurs several times the keys in
 * which its SAEs differ, `topk-k=16`. They depend on the configurations only, not on how or in which order they were given.
 * @throws ConfigError for two that are the same
 */
export function saeNames(configs: readonly RunConfig[]): string[] {
  const names = configs.map((config) => {
    const arch = config.architecture.name;
    const same = configs.filter(({ architecture }) => architecture === config.architecture).map(namingKeys);
    const own = namingKeys(config);
    const differing = Object.keys(own).filter((key) => same.some((other) => !isDeepStrictEqual(other[key], own[key])));
    return [arch, ...differing.map((key) => `${key}=${fileName(own[key])}`)].join('-');
  });
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return names;
  throw new ConfigError(`two SAEs of this run have the same settings: ${twice}`, {
    hint: 'let them differ in a key, e.g. --sae topk:k=16 --sae topk:k=32',
  });
}

/** The site stands among the other keys, as it was asked for. */
function namingKeys(config: RunConfig): Record<string, unknown> {
  const { live, ...keys } = flattenConfig(config);
  const { layer, hook } = config.common.live ?? {};
  return live === undefined ? keys : { ...keys, layer, hook };
}

const fileName = (value: unknown): string =>
  JSON.stringify(value)
    .replaceAll(/[^\w.+-]+/g, '_')
    .replaceAll(/^_|_$/g, '');
