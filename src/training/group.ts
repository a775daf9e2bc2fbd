/** Trains runs together on one stream: opens what they need, and leaves every folder in a known state. */
import { existsSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DivergedError, InputError, InterruptedError } from '../core/errors.ts';
import { listFolder, makeFolder } from '../core/files.ts';
import { VERSION } from '../core/version.ts';
import { NormalizedSource } from '../activations/normalized-source.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device } from '../engine/device.ts';
import { latestCheckpoint, readCfg, readState } from './checkpoint.ts';
import { stepsOf, type RunConfig } from './config.ts';
import { Member } from './member.ts';
import { openRawSources, type OpenOptions } from './sources.ts';
import { train, type Progress } from './trainer.ts';

/** A run of a group. */
export interface Plan {
  /** Distinct among the plans. */
  name: string;
  /** New or empty, or that of the same run, which goes on from its checkpoint. */
  folder: string;
  config: RunConfig;
}

export interface GroupOptions {
  /** Stops all runs after the current step, with a checkpoint. */
  signal: AbortSignal;
  /** Of a language model that is run for live activations. */
  threads: number | undefined;
  note: (line: string) => void;
  onProgress: (progress: Progress) => void;
  /** What is done before the first step. */
  onPreparation?: OpenOptions['onProgress'];
}

export interface TrainingOutcome {
  runs: {
    name: string;
    architecture: string;
    folder: string;
    step: number;
    skipped_steps: number;
    metrics: Record<string, unknown>;
  }[];
  seconds: number;
  tokens_per_s: number;
  peak_rss_mb: number;
}

/**
 * @param plans runs of the same stream: their configurations differ in the SAE, its normalisation and its site only
 * @throws SaeforestError of every kind; folders are left as the error says
 */
export async function trainGroup(
  device: Device,
  plans: readonly Plan[],
  request: GroupOptions,
): Promise<TrainingOutcome> {
  const { signal } = request;
  const began = performance.now();
  const members: Member[] = [];
  const made: string[] = [];
  let raws: readonly ActivationSource[] = [];
  try {
    raws = await openRawSources(
      plans.map(({ config }) => config.common),
      { threads: request.threads, signal, note: request.note, onProgress: request.onPreparation },
    );
    const opened = [];
    for (const [i, plan] of plans.entries()) opened.push({ ...plan, source: await normalizedFor(raws[i], plan) });
    await checkBatch(raws, plans);
    for (const { name, folder, config, source } of opened) {
      made.push(...makeFolders(folder));
      members.push(new Member(folder, config, source, device, facts(device), name));
    }
    // From here on something is written, all at once: a folder of several runs has all of them or none.
    for (const member of members) member.begin();
    const from = Math.min(...members.map((member) => member.step));
    if (from === members[0].steps) request.note('nothing to do: the run is complete');
    await trainAll(device, members, signal, request.onProgress);
    const seconds = (performance.now() - began) / 1000;
    return {
      runs: members.map((member) => ({
        name: member.name,
        architecture: member.config.architecture.name,
        folder: member.folder,
        step: member.step,
        skipped_steps: member.skippedSteps,
        metrics: member.latest,
      })),
      seconds,
      tokens_per_s: Math.round(((members[0].steps - from) * members[0].config.common.batch) / seconds),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    };
  } finally {
    for (const member of members) member.close();
    // Those in which nothing came to be.
    for (const folder of made.toReversed()) if (listFolder(folder).length === 0) rmdirSync(folder);
    for (const raw of raws) await raw.close();
  }
}

async function trainAll(
  device: Device,
  members: readonly Member[],
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<void> {
  const setStates = (state: Parameters<Member['setState']>[0]): void =>
    members.forEach((member) => member.setState(state));
  try {
    await train({ device, members, signal, onProgress });
    setStates('done');
  } catch (error) {
    if (error instanceof InterruptedError) setStates('interrupted');
    else if (error instanceof DivergedError) setStates('diverged');
    throw error;
  }
}

/** Makes a folder with its parents. @returns those that were not there, outermost first */
function makeFolders(folder: string): string[] {
  const missing = [];
  for (let path = folder; !existsSync(path); path = dirname(path)) missing.unshift(path);
  makeFolder(folder);
  return missing;
}

/** The run's activations as one SAE wants them: with the constants of its checkpoint, or fitted. */
function normalizedFor(raw: ActivationSource, { folder, config }: Plan): Promise<ActivationSource> {
  const { architecture, common } = config;
  const checkpoint = latestCheckpoint(folder);
  const wanted = common.normalize === 'auto' ? architecture.normalization : common.normalize;
  return NormalizedSource.wrap(raw, checkpoint ? readCfg(checkpoint).normalization : wanted);
}

/** Damaged data are found by reading the batch that comes first, before anything is written. @throws InputError */
async function checkBatch(sources: readonly ActivationSource[], plans: readonly Plan[]): Promise<void> {
  const [{ trainRows, d }] = sources;
  const { common } = plans[0].config;
  if (trainRows < common.batch) {
    throw new InputError(`only ${trainRows} activations to train on, fewer than one batch of ${common.batch}`, {
      where: common.acts,
      hint: 'harvest more, or --set batch=' + 2 ** Math.floor(Math.log2(Math.max(1, trainRows))),
    });
  }
  const steps = plans.map(({ folder }) => {
    const checkpoint = latestCheckpoint(folder);
    return checkpoint ? readState(checkpoint).step : 0;
  });
  const step = Math.min(...steps);
  if (step === stepsOf(common)) return;
  for (const source of new Set(sources)) await source.batch(step, new Float32Array(common.batch * d));
}

function facts(device: Device): ConstructorParameters<typeof Member>[4] {
  return { version: VERSION, command: process.argv.slice(2), device: device.info };
}
