/** What is trained: settings of one SAE, and its runs. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { latestCheckpoint, readState } from '../training/checkpoint.ts';
import { stepsOf, type RunConfig } from '../training/config.ts';
import { readConfig } from '../training/runs.ts';
import type { DataName } from './scales.ts';

/** One SAE, trained once per seed. */
export interface Spec {
  readonly data: DataName;
  readonly arch: string;
  /** Of the architecture, and `normalize`. */
  readonly keys?: Readonly<Record<string, unknown>>;
  /** Instead of those of the scale. */
  readonly tokens?: number;
  readonly batch?: number;
  readonly seeds?: number;
  /** Another block of the data's language model. */
  readonly layer?: number;
  /** Another language model than the data's, by its name in `Lab.addText`. */
  readonly text?: string;
}

export interface TrainedRun {
  readonly folder: string;
  readonly spec: Spec;
  readonly seed: number;
}

/** Of a folder: equal settings have equal names, in whatever order they are written; seeds are counted apart. */
export function nameOf({ seeds: _seeds, ...what }: Spec): string {
  const key = createHash('sha256').update(JSON.stringify(what, sortedKeys)).digest('hex').slice(0, 12);
  return `${what.arch}-${key}`;
}

/** To the end, with these settings. */
export function isTrained(folder: string, config: RunConfig): boolean {
  if (!existsSync(join(folder, 'config.yaml'))) return false;
  const checkpoint = latestCheckpoint(folder);
  return (
    checkpoint !== undefined &&
    readState(checkpoint).step === stepsOf(config.common) &&
    isDeepStrictEqual(readConfig(join(folder, 'config.yaml')).sae, config.sae)
  );
}

/** For people. */
export function describe({ spec: { data, arch, keys }, seed }: TrainedRun): string {
  const settings = Object.entries(keys ?? {}).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${data} ${arch} ${settings.join(' ')} seed ${seed}`;
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
