/**
 * The configuration of one training run: what is the same for all architectures, and the architecture's own keys beside it.
 * `config.yaml` of a run holds all of it with every default written out, so that it can be run again as it stands.
 */
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import { NORMALIZATIONS } from '../activations/normalization.ts';
import { synthBenchSchema } from '../activations/synth-bench/config.ts';
import { toyTreeSchema } from '../activations/toy-tree.ts';
import { liveSchema } from '../lm/live/config.ts';
import type { Architecture } from '../sae/architecture.ts';
import { architectureNamed } from '../sae/registry.ts';

/** `acts` of a run that is fed by a language model while it trains. */
export const LIVE = 'live';

const common = {
  arch: z.string().describe('architecture, see `saeforest archs`'),
  acts: z.string().min(1).describe('folder of harvested activations, live, synthetic:toy-tree or synthetic:bench-16k'),
  tokens: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('activations to train on, rounded up to whole batches'),
  batch: z.number().int().min(1).max(1_048_576).default(2048).describe('activations per step'),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(0)
    .describe('decides initial weights and the order of the data'),
  normalize: z
    .enum(['auto', ...NORMALIZATIONS])
    .default('auto')
    .describe('of the inputs; auto = as the architecture wants'),
  heldOut: z.number().positive().max(0.5).default(0.05).describe('share of the documents kept for validation'),
  logEvery: z.number().int().positive().default(10).describe('steps between lines of metrics.jsonl'),
  validateEvery: z.number().int().positive().default(500).describe('steps between validations on held-out rows'),
  validateRows: z.number().int().positive().default(16384).describe('held-out rows per validation'),
  checkpointEvery: z.number().int().positive().default(500).describe('steps between checkpoints'),
  keepCheckpoints: z.number().int().positive().default(2).describe('most recent checkpoints that are kept'),
  maxBadSteps: z
    .number()
    .int()
    .positive()
    .default(10)
    .describe('steps in a row without a usable loss after which training stops'),
  toyTree: z.optional(toyTreeSchema).describe('shape of synthetic:toy-tree'),
  synthBench: z.optional(synthBenchSchema).describe('parameters of synthetic:bench-16k'),
  live: z.optional(liveSchema).describe('language model and text of acts: live'),
};

const commonSchema = z.strictObject(common);

/** Names of the keys that every run has. */
export const commonKeys: readonly string[] = Object.keys(common);

/** Keys that every run has. */
export type CommonConfig = z.output<typeof commonSchema>;

export interface RunConfig {
  architecture: Architecture;
  common: CommonConfig;
  /** The architecture's own keys. */
  sae: Record<string, unknown>;
}

/**
 * Checks a flat configuration and fills in the defaults.
 * @throws ConfigError naming every wrong key with the nearest known one
 */
export function resolveConfig(raw: Record<string, unknown>, where: string): RunConfig {
  if (typeof raw.arch !== 'string')
    throw new ConfigError('no architecture given', {
      where,
      hint: '--arch topk, or --sae topk --sae h-sae; saeforest archs lists them',
    });
  const architecture = architectureNamed(raw.arch);
  const all = parseConfig(z.strictObject({ ...common, ...architecture.schema.shape }), raw, where);
  const entries = Object.entries(all);
  const own = Object.keys(architecture.schema.shape);
  const config: RunConfig = {
    architecture,
    common: Object.fromEntries(entries.filter(([key]) => !own.includes(key))) as CommonConfig,
    sae: Object.fromEntries(entries.filter(([key]) => own.includes(key))),
  };
  checkLive(config.common, where);
  const problem = architecture.check?.(config.sae);
  if (problem) throw new ConfigError(problem, { where });
  return config;
}

/** @throws ConfigError where only one of `acts: live` and `live` is given */
function checkLive({ acts, live }: CommonConfig, where: string): void {
  if (acts === LIVE && !live) {
    throw new ConfigError('acts: live needs a language model and its text', {
      where,
      hint: '--model FOLDER --text FILE --layer N',
    });
  }
  if (acts !== LIVE && live) {
    throw new ConfigError(`a language model is given, but the activations come from ${acts}`, {
      where,
      hint: '--acts live trains on the activations of the model itself',
    });
  }
}

/** The configuration as one flat object, in the order of the schema. */
export function flattenConfig({ common: shared, sae }: RunConfig): Record<string, unknown> {
  return { ...shared, ...sae };
}

/** Number of steps of a run. */
export function stepsOf({ tokens, batch }: CommonConfig): number {
  return Math.ceil(tokens / batch);
}

export interface KeyDescription {
  key: string;
  default: unknown;
  meaning: string;
}

/** The keys of a run with this architecture. */
export function describeKeys(architecture: Architecture): KeyDescription[] {
  return [...describeShape(common), ...describeOwnKeys(architecture)];
}

/** The keys that the architecture adds. */
export function describeOwnKeys(architecture: Architecture): KeyDescription[] {
  return describeShape(architecture.schema.shape);
}

function describeShape(shape: z.core.$ZodShape): KeyDescription[] {
  return Object.entries(shape as Record<string, z.ZodType>).map(([key, schema]) => ({
    key,
    default: schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined,
    meaning: schema.description ?? '',
  }));
}
