/** Which runs `train` starts or goes on with: configurations from the command line, a file, or the folders themselves. */
import { basename, join } from 'node:path';
import { ConfigError, InputError, UsageError } from '../core/errors.ts';
import { architectures } from '../sae/registry.ts';
import { LIVE, resolveConfig } from '../training/config.ts';
import type { Plan } from '../training/group.ts';
import {
  configDifferences,
  foreignEntries,
  isRun,
  keyDifferences,
  readConfig,
  readYaml,
  RUN_FILES,
} from '../training/runs.ts';
import { checkKeys, mergeKeys, readSaeList, saeNames, siteKeys, type SaeRequest } from './sae-requests.ts';

export interface PlanRequest {
  out: string;
  /** SAEs to train on one stream; empty = those of the configuration file, or of the run that is resumed. */
  saes: readonly SaeRequest[];
  /** Keys set on the command line, for all SAEs. */
  overrides: Record<string, unknown>;
  configFile: string | undefined;
}

/** Runs in a new or empty folder. @throws InputError, ConfigError, UsageError */
export function newPlans(request: PlanRequest): Plan[] {
  const { out, overrides, configFile } = request;
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
  const { shared, saes } = requested(request);
  const { acts } = mergeKeys(shared, overrides);
  if (acts === undefined)
    throw new UsageError('no activations given', {
      hint: '--acts FOLDER (made by saeforest harvest), --acts live, synthetic:toy-tree or synthetic:bench-16k',
    });
  const wanted = saes.length > 0 ? saes : [{ arch: overrides.arch, keys: {}, where: configFile ?? 'command line' }];
  wanted.forEach(checkKeys);
  const configs = wanted.map((sae) =>
    resolveConfig(mergeKeys(shared, overrides, siteKeys(sae, acts === LIVE), { arch: sae.arch }), sae.where),
  );
  const names = saeNames(configs);
  return configs.map((config, i) => ({
    name: names[i],
    folder: configs.length > 1 ? join(out, names[i]) : out,
    config,
  }));
}

/** The SAEs asked for (flags replace those of the file), and the file's keys for all of them. */
function requested({ saes, overrides, configFile }: PlanRequest): {
  shared: Record<string, unknown>;
  saes: readonly SaeRequest[];
} {
  if (configFile === undefined) return { shared: {}, saes };
  const { saes: list, arch, ...shared } = readYaml(configFile);
  if (list !== undefined && arch !== undefined) {
    throw new ConfigError('arch and saes exclude each other: one SAE, or a list of them', { where: configFile });
  }
  if (saes.length > 0) return { shared, saes };
  if (list !== undefined) return { shared, saes: readSaeList(list, configFile) };
  const one = overrides.arch ?? arch;
  return { shared, saes: one === undefined ? [] : [{ arch: one, keys: {}, where: configFile }] };
}

/** The runs of a folder, as they were started. @throws InputError, ConfigError, UsageError */
export function resumePlans(request: PlanRequest): Plan[] {
  const { out, overrides } = request;
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
  const { shared, saes } = requested(request);
  saes.forEach(checkKeys);
  const plans = folders.map((folder) => ({
    name: folder === out ? '' : basename(folder),
    folder,
    config: readConfig(join(folder, RUN_FILES.config)),
  }));
  if (saes.length > 0 && saes.length !== plans.length) {
    throw new ConfigError(`the run trains ${plans.length} SAEs, not ${saes.length}`, {
      where: out,
      hint: 'resume without --sae and --arch: the folder knows what it trains',
    });
  }
  for (const { folder, config } of plans) {
    const saved = readYaml(join(folder, RUN_FILES.config));
    const candidates = saes.length > 0 ? saes : [{ arch: config.architecture.name, keys: {}, where: 'command line' }];
    const differences = candidates
      .map((sae) => {
        const { arch, where } = sae;
        const { acts, live } = config.common;
        const base = arch === config.architecture.name ? saved : { acts, ...(live && { live }) };
        const keys = siteKeys(sae, acts === LIVE);
        return configDifferences(config, resolveConfig(mergeKeys(base, shared, overrides, keys, { arch }), where));
      })
      .reduce((least, other) => (other.length < least.length ? other : least));
    if (differences.length > 0) {
      throw new ConfigError(`the run was started with another configuration: ${differences.join('; ')}`, {
        where: folder,
        hint: 'resume without these options, or start a new run in another folder',
      });
    }
  }
  for (const plan of plans.slice(1)) checkStream(plans[0], plan);
  return plans.map((plan) => ({ ...plan, name: plan.name || plan.config.architecture.name }));
}

/** Keys that are the same for all runs of a stream. */
function streamKeys({ config }: Plan): Record<string, unknown> {
  const { arch: _, normalize: __, live, ...keys } = config.common;
  return { ...keys, live: live && { ...live, layer: undefined, hook: undefined } };
}

/** Runs that are trained together see the same batches and take their steps together. */
function checkStream(first: Plan, other: Plan): void {
  const differences = keyDifferences(streamKeys(first), streamKeys(other));
  if (differences.length === 0) return;
  const keys = differences.map((line) =>
    line.replace(/was (.*), now (.*)/, `$1 in ${first.name}, $2 in ${other.name}`),
  );
  throw new ConfigError(`these runs were not trained together: ${keys.join('; ')}`, {
    hint: `resume them one by one: --out ${first.folder}`,
  });
}

/** A sub-folder that was made for an SAE, but not its configuration. */
function unprepared(out: string): string | undefined {
  return foreignEntries(out).find((name) => isSaeName(name) && !isRun(join(out, name)));
}

/** What is left of a run that was killed before it had a configuration. */
function isSetUpRemnant(out: string, name: string): boolean {
  return isSaeName(name) && foreignEntries(join(out, name)).length === 0;
}

/** Whether a sub-folder can be that of an SAE, see saeNames. */
const isSaeName = (name: string): boolean =>
  architectures.some((architecture) => name === architecture.name || name.startsWith(`${architecture.name}-`));
