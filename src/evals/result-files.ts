/** `evals/<suite>.json` of a run, and beside it the bootstrap replicates of its metrics, for comparisons between runs. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import { makeFolder, readJsonFile, writeFileAtomic } from '../core/files.ts';
import { SafetensorsFile, writeSafetensors, type TensorData } from '../formats/safetensors.ts';
import { toJson, type Metric, type Metrics, type SuiteResult } from './metric.ts';

const number = z.number().nullable();
const nullSchema = z.object({
  value: number,
  low: number,
  high: number,
  draws: z.number(),
  effect: number,
  definition: z.string(),
});
const metricSchema = z.object({
  value: number,
  low: number,
  high: number,
  n: z.number(),
  unit: z.string(),
  definition: z.string(),
  nulls: z.record(z.string(), nullSchema).optional(),
  insufficient: z.string().optional(),
});
const metricsSchema = z.record(z.string(), metricSchema);
const suiteSchema = z
  .object({
    views: z.record(z.string(), metricsSchema).default({}),
    skipped: z.record(z.string(), z.string()).default({}),
  })
  .catchall(metricSchema);
const fileSchema = z.object({ measured: z.record(z.string(), z.json()) }).catchall(z.unknown());

const AGAIN = 'remove the file and evaluate again';

/** What a suite measured, and on what. */
export interface StoredResult {
  readonly result: SuiteResult;
  readonly measured: Readonly<Record<string, unknown>>;
}

const jsonFile = (folder: string, suite: string): string => join(folder, 'evals', `${suite}.json`);
const replicatesFile = (folder: string, suite: string): string =>
  join(folder, 'evals', `${suite}.replicates.safetensors`);

/** @param folder of the run; @param measured on which data, how many rows, … */
export function writeResult(folder: string, suite: string, { result, measured }: StoredResult): void {
  makeFolder(join(folder, 'evals'));
  const tensors: Record<string, TensorData> = {};
  for (const [view, metrics] of [['', result.metrics] as const, ...Object.entries(result.views)]) {
    for (const [name, { replicates }] of Object.entries(metrics)) {
      if (!replicates) continue;
      tensors[`${view}/${name}`] = { dtype: 'F64', shape: [replicates.length], data: replicates };
    }
  }
  // The document goes first and comes last: where it is, the replicates are its own.
  rmSync(jsonFile(folder, suite), { force: true });
  writeSafetensors(replicatesFile(folder, suite), tensors);
  writeFileAtomic(jsonFile(folder, suite), `${JSON.stringify({ [suite]: toJson(result), measured }, null, 1)}\n`);
}

/** @returns undefined where the suite was not run @throws InputError for a file that is damaged */
export function readResult(folder: string, suite: string): StoredResult | undefined {
  const path = jsonFile(folder, suite);
  if (!existsSync(path)) return undefined;
  const file = fileSchema.safeParse(readJsonFile(path, 'evaluation'));
  const parsed = file.success ? suiteSchema.safeParse(file.data[suite]) : file;
  if (!file.success || !parsed.success) {
    throw new InputError(`not the result of the suite ${suite}: ${z.prettifyError(parsed.error!)}`, {
      where: path,
      hint: AGAIN,
    });
  }
  const { views, skipped, ...metrics } = parsed.data as {
    views: Record<string, Metrics>;
    skipped: Record<string, string>;
  };
  const replicates = readReplicates(replicatesFile(folder, suite));
  const withReplicates = (ofView: Metrics, view: string): Metrics =>
    Object.fromEntries(
      Object.entries(ofView).map(([name, stored]): [string, Metric] => {
        const drawn = replicates.get(`${view}/${name}`);
        return [name, drawn ? { ...stored, replicates: drawn } : stored];
      }),
    );
  return {
    result: {
      metrics: withReplicates(metrics as unknown as Metrics, ''),
      views: Object.fromEntries(Object.entries(views).map(([view, ofView]) => [view, withReplicates(ofView, view)])),
      skipped,
    },
    measured: file.data.measured,
  };
}

function readReplicates(path: string): Map<string, Float64Array> {
  const all = new Map<string, Float64Array>();
  if (!existsSync(path)) return all;
  const file = SafetensorsFile.open(path);
  try {
    for (const [name, { dtype }] of file.tensors) {
      if (dtype !== 'F64')
        throw new InputError(`replicates of ${name} are ${dtype}, not F64`, { where: path, hint: AGAIN });
      all.set(name, new Float64Array(file.read(name).buffer));
    }
  } finally {
    file.close();
  }
  return all;
}
