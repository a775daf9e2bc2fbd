/** All claims, and their results: one file for each and every scale, with what made it. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { unknownName } from '../core/config.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { makeFolder, readJsonFile, writeFileAtomic } from '../core/files.ts';
import { VERSION } from '../core/version.ts';
import { VERDICTS, type Claim, type Finding } from './claim.ts';
import { compAbstract } from './compositional/abstract.ts';
import { compBalance } from './compositional/balance.ts';
import { compCoverage } from './compositional/coverage.ts';
import { compFails } from './compositional/fails.ts';
import { compRedesign } from './compositional/redesign.ts';
import { compWeights } from './compositional/weights.ts';
import { dynamicActive } from './dynamic/active.ts';
import { dynamicAlpha } from './dynamic/alpha.ts';
import { dynamicParts } from './dynamic/parts.ts';
import { dynamicAbsorption, dynamicProbing, dynamicRecon } from './dynamic/quality.ts';
import { dynamicTime } from './dynamic/time.ts';
import { hsaeAbsorption } from './h-sae/absorption.ts';
import { hsaeCompute } from './h-sae/compute.ts';
import { hsaeInterp } from './h-sae/interp.ts';
import { hsaeLanguages } from './h-sae/languages.ts';
import { hsaeModels } from './h-sae/models.ts';
import { hsaeOrtho } from './h-sae/ortho.ts';
import { hsaeOverhead } from './h-sae/overhead.ts';
import { benchEdges, benchOrder } from './field/bench.ts';
import { toyAbsorb } from './field/toy-absorb.ts';
import { forestConstraint, forestRate, forestSimilarity, forestTopology } from './forest/ablations.ts';
import { forestFidelity, forestHierarchy, forestTasks } from './forest/joint.ts';
import { forestCost, forestSiblings, forestTruth } from './forest/links.ts';
import { hsaeRecon } from './h-sae/recon.ts';
import { hsaeRefine } from './h-sae/refine.ts';
import { hsaeStructure } from './h-sae/structure.ts';
import { MATCHINGS, NO_DATA } from './judge.ts';
import { DATA, SCALES, type DataName, type ScaleName } from './scales.ts';
import { treeCompetitive } from './tree-sae/competitive.ts';
import { treeCoverage } from './tree-sae/coverage.ts';
import { treeGeometry, treeSiblings } from './tree-sae/families.ts';
import { treeGreedy } from './tree-sae/greedy.ts';
import { treeHierarchy, treePursuit, treeScaling } from './tree-sae/hierarchy.ts';
import { treeBoth, treeRealloc } from './tree-sae/parts.ts';

/** In the order of the papers. */
export const claims: readonly Claim[] = [
  hsaeRecon,
  hsaeCompute,
  hsaeOverhead,
  hsaeAbsorption,
  hsaeLanguages,
  hsaeRefine,
  hsaeInterp,
  hsaeStructure,
  hsaeModels,
  hsaeOrtho,
  forestHierarchy,
  forestFidelity,
  forestTasks,
  forestConstraint,
  forestRate,
  forestSimilarity,
  forestTopology,
  forestSiblings,
  forestTruth,
  forestCost,
  dynamicAbsorption,
  dynamicRecon,
  dynamicProbing,
  dynamicActive,
  dynamicParts,
  dynamicAlpha,
  dynamicTime,
  compFails,
  compAbstract,
  compRedesign,
  compBalance,
  compCoverage,
  compWeights,
  treeCoverage,
  treeHierarchy,
  treeBoth,
  treeCompetitive,
  treeSiblings,
  treeGeometry,
  treeScaling,
  treeGreedy,
  treeRealloc,
  treePursuit,
  benchOrder,
  toyAbsorb,
  benchEdges,
];

/** @throws UsageError that suggests the nearest id */
export function claimsNamed(ids: readonly string[]): Claim[] {
  return ids.map((id) => {
    const claim = claims.find((known) => known.id === id);
    if (claim) return claim;
    throw new UsageError(
      unknownName(
        'claim',
        id,
        claims.map((known) => known.id),
      ),
      { hint: 'saeforest reproduce --list' },
    );
  });
}

const number = z.number().nullable();
const comparisonSchema = z.object({
  what: z.string(),
  data: z.enum([...DATA, NO_DATA]),
  a: z.string(),
  b: z.string(),
  matching: z.enum(MATCHINGS),
  valueA: number,
  valueB: number,
  difference: z.object({
    value: number,
    low: number,
    high: number,
    seeds: z.number(),
    detectable: number,
    paired: z.boolean(),
    p: number,
  }),
  claimed: z.union([
    z.object({ is: z.enum(['higher', 'lower']), by: z.number().optional() }),
    z.object({ is: z.enum(['equal', 'different', 'not lower', 'not higher']), margin: z.number() }),
  ]),
  decides: z.boolean(),
  outcome: z.enum(['as claimed', 'opposite', 'no difference seen', 'undefined']),
  costs: z.object({ parameters: z.number(), encodeFlops: z.number() }).optional(),
  why: z.string().optional(),
});
const tableSchema = z.object({
  title: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))),
});
const resultSchema = z.object({
  id: z.string(),
  scale: z.enum(SCALES),
  verdict: z.enum(VERDICTS),
  because: z.string(),
  comparisons: z.array(comparisonSchema),
  tables: z.array(tableSchema),
  /** Data of the protocol that were not there. */
  leftOut: z.array(z.enum(DATA)).default([]),
  /** What made it. */
  version: z.string(),
  /** Of the source, null outside of a repository; `+` = with changes that are not committed. */
  commit: z.string().nullable(),
  machine: z.string(),
  seconds: z.number(),
  measured: z.string(),
});
export type Result = z.output<typeof resultSchema>;

const fileOf = (folder: string, scale: ScaleName, id: string): string => join(folder, scale, `${id}.json`);

/** @returns undefined where the claim was not tested @throws InputError for a file that is damaged */
export function readLedgerResult(folder: string, scale: ScaleName, id: string): Result | undefined {
  const path = fileOf(folder, scale, id);
  if (!existsSync(path)) return undefined;
  const parsed = resultSchema.safeParse(readJsonFile(path, 'result of a claim'));
  if (parsed.success) return parsed.data;
  throw new InputError(`not the result of a claim: ${z.prettifyError(parsed.error)}`, {
    where: path,
    hint: `remove the file and run saeforest reproduce ${id} --scale ${scale}`,
  });
}

export function writeLedgerResult(
  folder: string,
  scale: ScaleName,
  { id }: Claim,
  { verdict, because, comparisons, tables = [] }: Finding,
  { leftOut, seconds }: { leftOut: readonly DataName[]; seconds: number },
): Result {
  const result = {
    id,
    scale,
    verdict,
    because,
    comparisons,
    tables,
    leftOut,
    version: VERSION,
    commit: commitOfSource(),
    machine: `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.versions.node}`,
    seconds: Math.round(seconds),
    measured: new Date().toISOString().slice(0, 10),
  };
  makeFolder(join(folder, scale));
  writeFileAtomic(fileOf(folder, scale, id), `${JSON.stringify(result, null, 1)}\n`);
  return resultSchema.parse(result);
}

function commitOfSource(): string | null {
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--', '../../src') === '' ? '' : '+');
  } catch {
    return null;
  }
}

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
