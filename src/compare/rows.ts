/** Rows of a comparison: runs that differ in nothing but their seed. */
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../core/errors.ts';
import { flattenConfig, type RunConfig } from '../training/config.ts';
import type { ComparedRun } from './runs.ts';

export interface ComparedRow {
  /** The architecture, and the settings in which rows of this architecture differ: `topk k=16`. */
  readonly label: string;
  readonly architecture: string;
  /** By seed. */
  readonly runs: readonly ComparedRun[];
}

/** Keys of a run that its weights do not depend on. */
const BOOKKEEPING = ['logEvery', 'checkpointEvery', 'keepCheckpoints', 'validateEvery', 'validateRows', 'maxBadSteps'];

/**
 * @returns rows in the order of their first runs
 * @throws UsageError for two runs with the same configuration and seed
 */
export function rowsOf(runs: readonly ComparedRun[]): ComparedRow[] {
  const groups: { keys: Record<string, unknown>; runs: ComparedRun[] }[] = [];
  for (const run of runs) {
    const keys = identifying(run.config);
    const group = groups.find((other) => isDeepStrictEqual(other.keys, keys));
    const twin = group?.runs.find((other) => seedOf(other) === seedOf(run));
    if (twin) {
      throw new UsageError(`the same run twice, configuration and seed: ${twin.folder} and ${run.folder}`, {
        hint: 'leave one of them out',
      });
    }
    if (group) group.runs.push(run);
    else groups.push({ keys, runs: [run] });
  }
  return groups.map(({ keys, runs: members }) => {
    const same = groups.filter((other) => other.keys.arch === keys.arch);
    const names = [...new Set(same.flatMap((other) => Object.keys(other.keys)))];
    const differing = names.filter((name) => same.some((other) => !isDeepStrictEqual(other.keys[name], keys[name])));
    const settings = differing.map((name) => `${name}=${briefly(keys[name])}`);
    return {
      label: [String(keys.arch), ...settings].join(' '),
      architecture: String(keys.arch),
      runs: members.toSorted((a, b) => seedOf(a) - seedOf(b)),
    };
  });
}

export const seedOf = ({ config }: ComparedRun): number => config.common.seed;

/** All that tells runs apart but the seed; of a language model's settings each by itself. */
function identifying(config: RunConfig): Record<string, unknown> {
  const { seed: _, live, ...keys } = flattenConfig(config);
  const all = { ...keys, ...(live as Record<string, unknown> | undefined) };
  return Object.fromEntries(Object.entries(all).filter(([key]) => !BOOKKEEPING.includes(key)));
}

const briefly = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null));
