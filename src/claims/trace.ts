/** What a training wrote down while it ran. */
import { join } from 'node:path';
import { readTextFile } from '../core/files.ts';
import { RUN_FILES } from '../training/runs.ts';
import type { TrainedRun } from './spec.ts';

/** Numbers of one logged step; see README, metrics.jsonl. */
export type LoggedStep = Readonly<Record<string, number>>;

export function traceOf({ folder }: TrainedRun): LoggedStep[] {
  const lines = readTextFile(join(folder, RUN_FILES.metrics), 'training log').split('\n');
  const records = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
  return records.filter((record): record is Record<string, number> => typeof record.loss === 'number');
}
