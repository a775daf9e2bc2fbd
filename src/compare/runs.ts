/** Trained runs with what was measured on them, as a comparison sees them. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InputError } from '../core/errors.ts';
import { listFolder } from '../core/files.ts';
import { readResult, type StoredResult } from '../evals/result-files.ts';
import type { Cost } from '../sae/architecture.ts';
import { latestCheckpoint, readCfg, readState } from '../training/checkpoint.ts';
import type { RunConfig } from '../training/config.ts';
import { isRun, readConfig, RUN_FILES } from '../training/runs.ts';

export interface ComparedRun {
  readonly folder: string;
  readonly config: RunConfig;
  /** Steps that it was trained for so far. */
  readonly step: number;
  readonly cost: Cost;
  /** What a suite measured on it; undefined where the suite was not run. Read when it is asked for. */
  result(suite: string): StoredResult | undefined;
}

/** How deep below a folder its runs may lie: `runs/seed0/topk-k=16`. */
const DEPTH = 3;

/** The runs in folders, each once, in the order of the folders. @throws InputError for a folder without any */
export function findRuns(folders: readonly string[]): string[] {
  const found = folders.flatMap((folder) => {
    const runs = runsBelow(folder, DEPTH);
    if (runs.length > 0) return runs;
    throw new InputError('not a run, and no folder of runs', {
      where: folder,
      hint: 'folders made by saeforest train --out, or those around them',
    });
  });
  return [...new Map(found.map((run) => [resolve(run), run])).values()];
}

function runsBelow(folder: string, depth: number): string[] {
  if (isRun(folder)) return [folder];
  if (depth === 0) return [];
  const byNumber = listFolder(folder).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const below = byNumber.map((name) => join(folder, name));
  return below.filter((path) => statSync(path).isDirectory()).flatMap((path) => runsBelow(path, depth - 1));
}

/** @throws InputError, ConfigError */
export function readRun(folder: string): ComparedRun {
  const config = readConfig(join(folder, RUN_FILES.config));
  const checkpoint = latestCheckpoint(folder);
  if (checkpoint === undefined) {
    throw new InputError('the run holds no checkpoint yet', {
      where: folder,
      hint: 'saeforest train --resume --out with this folder, or leave it out',
    });
  }
  const results = new Map<string, StoredResult | undefined>();
  return {
    folder,
    config,
    step: readState(checkpoint).step,
    cost: config.architecture.cost(config.sae, readCfg(checkpoint).d),
    result(suite) {
      if (!results.has(suite)) results.set(suite, readResult(folder, suite));
      return results.get(suite);
    },
  };
}
