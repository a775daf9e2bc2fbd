/**
 * The suite `probing`: what can be read from one, two or five latents (k-sparse probing as in SAEBench) of labels that people gave to
 * texts and words; beside it the ceiling, a probe on the activations themselves, and the floor, SAEs that have learned nothing.
 */
import { World } from '../world/world.ts';
import type { EvalContext } from './context.ts';
import type { SuiteResult } from './metric.ts';
import type { DataSet } from './probing/data-set.ts';
import { Encoders } from './probing/features.ts';
import { NOUNS, nounDataSet, readTokenNouns } from './probing/nouns.ts';
import { measureDataSet, type MeasuredTask } from './probing/measure.ts';
import { probingMetrics, taskMetricNames } from './probing/report.ts';
import { findTextFiles, textDataSet } from './probing/texts.ts';
import { worldDataSet } from './probing/world-concepts.ts';
import { speaksOf } from './world-rows.ts';

/** @throws InputError for labelled data that are not as described */
export async function evaluateProbing(context: EvalContext): Promise<SuiteResult> {
  const { sets, skipped } = await dataSets(context);
  if (sets.length === 0) return { metrics: {}, views: {}, skipped };
  const encoders = await Encoders.open(context);
  try {
    const measured: MeasuredTask[] = [];
    for (const set of sets) measured.push(...(await measureDataSet(context, set, encoders)));
    return { ...probingMetrics(context, measured), skipped };
  } finally {
    encoders.release();
  }
}

async function dataSets(context: EvalContext): Promise<{ sets: DataSet[]; skipped: Record<string, string> }> {
  const { model: harvested, data, seed } = context;
  if (typeof harvested === 'string') return none(harvested);
  const world = new World();
  if (speaksOf(harvested.model, world)) return { sets: [await worldDataSet(harvested, world, seed)], skipped: {} };
  if (data === undefined) return none('no labelled texts were given: --data names a folder with some');
  const { present, absent } = findTextFiles(data);
  const sets = present.map((file) => textDataSet(data, file, harvested));
  const skipped: Record<string, string> = {};
  const skip = (task: string, reason: string): void => {
    for (const name of taskMetricNames(task)) skipped[name] = reason;
  };
  for (const { file, levels } of absent) for (const { task } of levels) skip(task, `the folder has no ${file}`);
  const nouns = readTokenNouns(data, harvested.model);
  const ofNouns = nouns ? await nounDataSet(context, nouns) : `the folder has no ${NOUNS}`;
  if (typeof ofNouns === 'string') skip('wordnet', ofNouns);
  else sets.push(ofNouns);
  return { sets, skipped };
}

/** Nothing to probe, for one reason. */
function none(reason: string): { sets: DataSet[]; skipped: Record<string, string> } {
  return { sets: [], skipped: Object.fromEntries(taskMetricNames().map((name) => [name, reason])) };
}
