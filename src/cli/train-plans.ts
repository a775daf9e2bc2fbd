/** Which runs `train` starts or goes on with: configurations from the command line, a file, or the folders themselves. */
import { join } from 'node:path';
import { ConfigError, InputError, UsageError } from '../core/errors.ts';
import { architectures } from '../sae/registry.ts';
import { resolveConfig, type RunConfig } from '../training/config.ts';
import {
  configDifferences,
  foreignEntries,
  isRun,
  keyDifferences,
  readConfig,
  readYaml,
  RUN_FILES,
} from '../training/runs.ts';

export interface PlanRequest {
  out: string;
  architectures: readonly string[];
  /** Keys set on the command line; keys named like an architecture hold keys for that one only. */
  overrides: Record<string, unknown>;
  configFile: string | undefined;
}

export interface Plan {
  folder: string;
  config: RunConfig;
}

/** Runs in a new or empty folder. @throws InputError, ConfigError, UsageError */
export function newPlans({ out, architectures: names, overrides, configFile }: PlanRequest): Plan[] {
  const entries = foreignEntries(out).filter((name) => !isSetUpRemnant(out, name));
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
  const chosen = names.length > 0 ? names : [overrides.arch ?? base.arch];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError(`--arch ${twice} is given twice`, { hint: 'one run for each architecture' });
  checkAddressees(overrides, chosen);
  const plans = chosen.map((arch) => ({
    folder: chosen.length > 1 ? join(out, String(arch)) : out,
    config: resolveConfig(
      withDefaults({ ...base, ...overridesFor(overrides, arch), ...(arch === undefined ? {} : { arch }) }),
      configFile ?? 'command line',
    ),
  }));
  for (const { config } of plans.slice(1)) checkStream(plans[0].config, config);
  return plans;
}

/** Keys that decide which steps there are, and what happens at which of them. */
const STREAM_KEYS = ['batch', 'tokens', 'logEvery', 'validateEvery', 'validateRows', 'checkpointEvery'] as const;

function streamKeys({ common }: RunConfig): Record<string, unknown> {
  return Object.fromEntries(STREAM_KEYS.map((key) => [key, common[key]]));
}

/** Runs that are trained together take their steps together. */
function checkStream(first: RunConfig, other: RunConfig): void {
  const differences = keyDifferences(streamKeys(first), streamKeys(other));
  if (differences.length === 0) return;
  const [a, b] = [first.architecture.name, other.architecture.name];
  const keys = differences.map((line) => line.replace(/was (.*), now (.*)/, `$1 for ${a}, $2 for ${b}`));
  throw new ConfigError(`architectures on the same stream need the same ${keys.join('; ')}`, {
    hint: 'give these keys for all of them, or train in separate runs',
  });
}

/** @throws UsageError for `--set h-sae.k=16` without h-sae, and for `--set h-sae=16` */
function checkAddressees(overrides: Record<string, unknown>, chosen: readonly unknown[]): void {
  for (const { name } of architectures) {
    const own = overrides[name];
    if (own === undefined) continue;
    if (typeof own !== 'object' || own === null) {
      throw new UsageError(`--set ${name}=${String(own)}: ${name} is an architecture, not a key`, {
        hint: `--set ${name}.k=32 sets a key of ${name} alone`,
      });
    }
    if (!chosen.includes(name)) {
      throw new UsageError(`--set ${name}.${Object.keys(own)[0]}: ${name} is not among the architectures of this run`, {
        hint: `--arch ${name} adds it`,
      });
    }
  }
}

function withDefaults(raw: Record<string, unknown>): Record<string, unknown> {
  if (raw.acts === undefined)
    throw new UsageError('no activations given', {
      hint: '--acts FOLDER (made by saeforest harvest) or --acts synthetic:toy-tree',
    });
  return raw;
}

/** The runs of a folder, as they were started. @throws InputError, ConfigError, UsageError */
export function resumePlans({ out, architectures: names, overrides, configFile }: PlanRequest): Plan[] {
  const folders = isRun(out)
    ? [out]
    : foreignEntries(out)
        .map((name) => join(out, name))
        .filter(isRun);
  if (folders.length === 0)
    throw new InputError('there is no run to resume', { where: out, hint: 'train without --resume starts one' });
  const missing = folders[0] === out ? undefined : unprepared(out);
  if (missing !== undefined) {
    throw new InputError(`the runs were stopped while they were set up: ${missing} holds no ${RUN_FILES.config}`, {
      where: out,
      hint: 'nothing was trained yet: remove this folder and start again without --resume',
    });
  }
  const plans = folders.map((folder) => {
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
  checkAddressees(
    overrides,
    plans.map(({ config }) => config.architecture.name),
  );
  return plans;
}

/** A sub-folder that was made for an architecture, but not its configuration. */
function unprepared(out: string): string | undefined {
  return foreignEntries(out).find((name) => isArchitecture(name) && !isRun(join(out, name)));
}

/** What is left of a run that was killed before it had a configuration. */
function isSetUpRemnant(out: string, name: string): boolean {
  return isArchitecture(name) && foreignEntries(join(out, name)).length === 0;
}

const isArchitecture = (name: string): boolean => architectures.some((architecture) => architecture.name === name);

/** The overrides for one architecture: `h-sae: {k: 16}` applies to h-sae alone. */
function overridesFor(overrides: Record<string, unknown>, arch: unknown): Record<string, unknown> {
  const names = architectures.map(({ name }) => name);
  const shared = Object.fromEntries(Object.entries(overrides).filter(([key]) => !names.includes(key)));
  const own = overrides[String(arch)];
  return typeof own === 'object' && own !== null ? { ...shared, ...own } : shared;
}
