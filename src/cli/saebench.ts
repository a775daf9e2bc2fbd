/** `eval --saebench`: the results once more, as SAEBench would have written them. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { MANIFEST_FILE, readManifest } from '../activations/manifest.ts';
import { VERSION } from '../core/version.ts';
import type { SuiteResult } from '../evals/metric.ts';
import { writeSaeBench } from '../evals/saebench/files.ts';
import type { Subject } from '../evals/saebench/output.ts';
import { latestCheckpoint, readCfg, readState } from '../training/checkpoint.ts';
import { readConfig, RUN_FILES } from '../training/runs.ts';
import type { Terminal } from './terminal.ts';

/** @param acts what was measured on; @param seed of the intervals */
export function writeSaeBenchFiles(
  folder: string,
  run: string,
  results: Readonly<Record<string, SuiteResult>>,
  { acts, seed }: { acts?: string | undefined; seed: number },
  terminal: Terminal,
): void {
  const subject = subjectOf(run, acts, seed);
  for (const [suite, result] of Object.entries(results)) {
    const stamp = { uuid: randomUUID(), epochMillis: Date.now() };
    const written = writeSaeBench(folder, suite, result, subject, stamp);
    terminal.note('path' in written ? `wrote ${written.path}` : `no SAEBench file: ${written.none}`);
  }
}

function subjectOf(run: string, given: string | undefined, seed: number): Subject {
  const { common } = readConfig(join(run, RUN_FILES.config));
  const checkpoint = latestCheckpoint(run)!;
  const { architecture, d, width, batch } = readCfg(checkpoint);
  const acts = given ?? common.acts;
  const harvest = existsSync(join(acts, MANIFEST_FILE)) ? readManifest(acts).identity : undefined;
  const { live } = common;
  const path = resolve(run);
  return {
    program: `saeforest ${VERSION}`,
    id: basename(path),
    release: basename(dirname(path)),
    architecture,
    d,
    width,
    model: harvest?.model.path ?? live?.model ?? '',
    layer: harvest?.layer ?? live?.layer ?? null,
    hook: harvest?.hook ?? live?.hook ?? null,
    context: harvest?.context ?? live?.context ?? null,
    trainingTokens: readState(checkpoint).step * batch,
    data: acts,
    withoutSpecials: harvest ? harvest.specials.dropped.length > 0 : live !== undefined && !live.keepBos,
    seed,
  };
}
