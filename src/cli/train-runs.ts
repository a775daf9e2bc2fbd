/** What `train` and `demo` do: resolve configurations, open what is needed, train, and leave every folder in a known state. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DivergedError, InputError, InterruptedError, UsageError } from '../core/errors.ts';
import { makeFolder } from '../core/files.ts';
import type { ActivationSource } from '../activations/source.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Device } from '../engine/device.ts';
import { architectures } from '../sae/registry.ts';
import { latestCheckpoint, readCfg } from '../training/checkpoint.ts';
import { resolveConfig, type RunConfig } from '../training/config.ts';
import { Member } from '../training/member.ts';
import { configDifferences, foreignEntries, isRun, readConfig, readYaml, RUN_FILES } from '../training/runs.ts';
import { openSource } from '../training/sources.ts';
import { train, type Progress } from '../training/trainer.ts';

export interface TrainingRequest {
  out: string;
  architectures: readonly string[];
  /** Keys set on the command line; keys named like an architecture hold keys for that one only. */
  overrides: Record<string, unknown>;
  configFile: string | undefined;
  resume: boolean;
  threads: number | undefined;
  note: (line: string) => void;
  onProgress: (progress: Progress) => void;
}

export interface TrainingOutcome {
  runs: {
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

interface Plan {
  folder: string;
  config: RunConfig;
}

/** @throws SaeforestError of every kind; folders are left as the error says */
export async function runTraining(request: TrainingRequest): Promise<TrainingOutcome> {
  const plans = request.resume ? resumePlans(request) : newPlans(request);
  const began = performance.now();
  const device = await CpuDevice.create(request.threads === undefined ? {} : { threads: request.threads });
  const members: Member[] = [];
  const sources = new Map<string, ActivationSource>();
  const stop = stopSignal(request.note);
  try {
    for (const { folder, config } of plans) {
      const source = await sourceFor(sources, folder, config);
      checkBatch(source, config);
      makeFolder(folder);
      members.push(new Member(folder, config, source, device, facts(device)));
    }
    const first = Math.min(...members.map((member) => member.step));
    if (first === members[0].steps) request.note('nothing to do: the run is complete');
    await trainAll(device, members, stop.signal, request.onProgress);
    const seconds = (performance.now() - began) / 1000;
    return {
      runs: members.map((member) => ({
        architecture: member.name,
        folder: member.folder,
        step: member.step,
        skipped_steps: member.skippedSteps,
        metrics: member.latest,
      })),
      seconds,
      tokens_per_s: Math.round(((members[0].steps - first) * members[0].config.common.batch) / seconds),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    };
  } finally {
    stop.remove();
    for (const member of members) member.close();
    for (const source of sources.values()) await source.close();
    await device.close();
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

function newPlans({ out, architectures: names, overrides, configFile }: TrainingRequest): Plan[] {
  const entries = foreignEntries(out);
  if (entries.length > 0) {
    throw new InputError(
      `the output folder is not empty: it holds ${entries.slice(0, 3).join(', ')}${entries.length > 3 ? ', …' : ''}`,
      {
        where: out,
        hint: isRun(out) ? 'add --resume to go on with this run, or choose another folder' : 'choose another folder',
      },
    );
  }
  const base = configFile === undefined ? {} : readYaml(configFile);
  const chosen = names.length > 0 ? names : [base.arch];
  return chosen.map((arch) => ({
    folder: chosen.length > 1 ? join(out, String(arch)) : out,
    config: resolveConfig(
      withDefaults({ ...base, ...overridesFor(overrides, arch), ...(arch === undefined ? {} : { arch }) }),
      configFile ?? 'command line',
    ),
  }));
}

function withDefaults(raw: Record<string, unknown>): Record<string, unknown> {
  if (raw.acts === undefined)
    throw new UsageError('no activations given', {
      hint: '--acts FOLDER (made by saeforest harvest) or --acts synthetic:toy-tree',
    });
  return raw;
}

function resumePlans({ out, architectures: names, overrides, configFile }: TrainingRequest): Plan[] {
  const folders = isRun(out)
    ? [out]
    : foreignEntries(out)
        .map((name) => join(out, name))
        .filter(isRun);
  if (folders.length === 0)
    throw new InputError('there is no run to resume', { where: out, hint: 'train without --resume starts one' });
  return folders.map((folder) => {
    const config = readConfig(join(folder, RUN_FILES.config));
    const { name } = config.architecture;
    const given = { ...(configFile === undefined ? {} : readYaml(configFile)), ...overridesFor(overrides, name) };
    const arch = names.length === 0 || names.includes(name) ? name : names[0];
    const saved = readYaml(join(folder, RUN_FILES.config));
    const now =
      arch === name
        ? resolveConfig({ ...saved, ...given }, 'command line')
        : resolveConfig({ acts: config.common.acts, ...given, arch }, 'command line');
    const differences = configDifferences(config, now);
    if (differences.length > 0) {
      throw new ConfigError(`the run was started with another configuration: ${differences.join('; ')}`, {
        where: folder,
        hint: 'resume without these options, or start a new run in another folder',
      });
    }
    return { folder, config };
  });
}

/** The overrides for one architecture: `h-sae: {k: 16}` applies to h-sae alone. */
function overridesFor(overrides: Record<string, unknown>, arch: unknown): Record<string, unknown> {
  const names = architectures.map(({ name }) => name);
  const shared = Object.fromEntries(Object.entries(overrides).filter(([key]) => !names.includes(key)));
  const own = overrides[String(arch)];
  return typeof own === 'object' && own !== null ? { ...shared, ...own } : shared;
}

/** Members with the same data and normalisation share one source, and so one stream of batches. */
async function sourceFor(
  sources: Map<string, ActivationSource>,
  folder: string,
  { architecture, common }: RunConfig,
): Promise<ActivationSource> {
  const checkpoint = latestCheckpoint(folder);
  const wanted = common.normalize === 'auto' ? architecture.normalization : common.normalize;
  const normalization = checkpoint ? readCfg(checkpoint).normalization : wanted;
  const key = JSON.stringify([common.acts, common.seed, common.heldOut, common.toyTree, normalization]);
  const known = sources.get(key);
  if (known) return known;
  const source = await openSource(common, normalization);
  sources.set(key, source);
  return source;
}

function checkBatch(source: ActivationSource, { common }: RunConfig): void {
  if (source.trainRows >= common.batch) return;
  throw new InputError(`only ${source.trainRows} activations to train on, fewer than one batch of ${common.batch}`, {
    where: common.acts,
    hint: 'harvest more, or --set batch=' + 2 ** Math.floor(Math.log2(Math.max(1, source.trainRows))),
  });
}

function facts(device: Device): ConstructorParameters<typeof Member>[4] {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return { version, command: process.argv.slice(2), device: device.info };
}

/** First Ctrl-C: finish the step, save, stop. Second: stop at once. */
function stopSignal(note: (line: string) => void): { signal: AbortSignal; remove: () => void } {
  const controller = new AbortController();
  const handler = (): void => {
    if (controller.signal.aborted) process.exit(130);
    note('stopping after this step and saving; once more to stop at once');
    controller.abort();
  };
  process.on('SIGINT', handler).on('SIGTERM', handler);
  return { signal: controller.signal, remove: () => process.off('SIGINT', handler).off('SIGTERM', handler) };
}
