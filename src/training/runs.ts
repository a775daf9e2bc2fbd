/**
 * A run folder: `config.yaml` (complete), `metrics.jsonl`, `checkpoints/<step>/`, `latest`, `evals/<suite>.json`,
 * `forest/<method>.safetensors`, `run.json`.
 * Opening one gives the trained SAE with the data and the normalisation it was trained on.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { ConfigError, InputError } from '../core/errors.ts';
import { listFolder, outputError, readTextFile, writeFileAtomic, writeFully } from '../core/files.ts';
import type { Normalization } from '../activations/normalization.ts';
import { NormalizedSource } from '../activations/normalized-source.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device } from '../engine/device.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { latestCheckpoint, loadWeights, readCfg, readState, type Cfg } from './checkpoint.ts';
import { flattenConfig, resolveConfig, stepsOf, type RunConfig } from './config.ts';
import { openSource } from './sources.ts';

export const RUN_FILES = {
  config: 'config.yaml',
  metrics: 'metrics.jsonl',
  run: 'run.json',
  evals: 'evals',
  forest: 'forest',
} as const;

export type RunState = 'running' | 'done' | 'interrupted' | 'diverged';

/** Whether a folder is a run. */
export const isRun = (folder: string): boolean => existsSync(join(folder, RUN_FILES.config));

/** @throws InputError, ConfigError */
export function readConfig(path: string): RunConfig {
  return resolveConfig(readYaml(path), path);
}

/** A YAML file that holds a mapping. @throws InputError, ConfigError */
export function readYaml(path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(readTextFile(path, 'configuration'));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new ConfigError(`not valid YAML: ${(error as Error).message.split('\n')[0]}`, { where: path, cause: error });
  }
  const mapping = z.record(z.string(), z.unknown()).safeParse(value);
  if (!mapping.success) throw new ConfigError('expected a mapping of keys to values', { where: path });
  return mapping.data;
}

export function writeConfig(folder: string, config: RunConfig): void {
  writeFileAtomic(join(folder, RUN_FILES.config), stringify(flattenConfig(config)));
}

/** Keys in which two configurations differ, as `key: was … now …`. */
export function configDifferences(was: RunConfig, now: RunConfig): string[] {
  return keyDifferences(flattenConfig(was), flattenConfig(now));
}

/** Keys whose values differ, as `key: was … now …`. */
export function keyDifferences(was: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(was), ...Object.keys(now)])];
  return keys
    .filter((key) => JSON.stringify(was[key]) !== JSON.stringify(now[key]))
    .map((key) => `${key}: was ${JSON.stringify(was[key])}, now ${JSON.stringify(now[key])}`);
}

/**
 * @param steps of the whole training
 * @throws ConfigError where a checkpoint was trained with another configuration: its numbers would mean something else
 */
export function checkTrainedWith(
  { architecture, common, sae }: RunConfig,
  steps: number,
  cfg: Cfg,
  where: string,
): void {
  const trained = { architecture: cfg.architecture, ...cfg.config, batch: cfg.batch, steps: cfg.steps, seed: cfg.seed };
  const now = { architecture: architecture.name, ...sae, batch: common.batch, steps, seed: common.seed };
  // Keys that a later version added are not in the checkpoint.
  const known = Object.fromEntries(Object.entries(now).filter(([key]) => Object.hasOwn(trained, key)));
  const differences = keyDifferences(trained, known);
  if (differences.length === 0) return;
  throw new ConfigError(`the checkpoint was trained with another configuration: ${differences.join('; ')}`, {
    where,
    hint: 'restore this file as training wrote it, or start a new run in another folder',
  });
}

/** Entries of a folder that would be in the way of a new run. */
export function foreignEntries(folder: string): string[] {
  return listFolder(folder).filter((name) => !name.startsWith('.saeforest'));
}

/** `metrics.jsonl`: one line per logged step; lines after the step a run is resumed from are dropped. */
export class MetricsLog {
  /** The last value of every key. */
  readonly latest: Record<string, unknown> = {};
  readonly #fd: number;
  readonly #path: string;

  /** @param fromStep lines of this and later steps are removed */
  constructor(folder: string, fromStep: number) {
    this.#path = join(folder, RUN_FILES.metrics);
    try {
      const before = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
      const lines = before.split('\n').filter((line) => stepOf(line) < fromStep);
      const kept = lines.map((line) => `${line}\n`).join('');
      if (kept !== before) writeFileAtomic(this.#path, kept);
      for (const line of lines) Object.assign(this.latest, JSON.parse(line));
      this.#fd = openSync(this.#path, 'a');
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  append(record: Record<string, unknown>): void {
    try {
      writeFully(this.#fd, Buffer.from(`${JSON.stringify(record)}\n`));
    } catch (error) {
      throw outputError(this.#path, error);
    }
    Object.assign(this.latest, record);
  }

  /** Makes the lines durable: called before the checkpoint that a resumed run would start from. */
  sync(): void {
    try {
      fsyncSync(this.#fd);
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Step of a line; Infinity for one that was cut off. */
function stepOf(line: string): number {
  try {
    return Number((JSON.parse(line) as { step?: unknown }).step ?? Infinity);
  } catch {
    return Infinity;
  }
}

/** @param raw a source of raw rows @throws InputError if the run was trained on other ones */
export async function checkTrainedOn(
  { checkpoint, normalization, config }: OpenRun,
  raw: ActivationSource,
): Promise<void> {
  const { identity } = await NormalizedSource.wrap(raw, normalization);
  if (identity.hash === readState(checkpoint).sourceHash) return;
  throw new InputError('the activations are not those that this run was trained on', {
    where: checkpoint,
    hint: `evaluate with the same data: ${config.common.acts} as it was, or harvest and name the folder with --acts`,
  });
}

export interface OpenRun {
  folder: string;
  checkpoint: string;
  step: number;
  config: RunConfig;
  sae: TrainableSae;
  normalization: Normalization;
  /** Opens the activations of the run, or others that are normalised the same way. */
  source: (acts?: string) => Promise<ActivationSource>;
}

/**
 * Loads the SAE of a run's latest checkpoint onto a device.
 * @throws InputError if the folder is no run, or holds no checkpoint or a damaged one; ConfigError if its config.yaml was edited
 */
export function openRun(folder: string, device: Device): OpenRun {
  if (!isRun(folder)) {
    throw new InputError('not a run folder: it holds no config.yaml', {
      where: folder,
      hint: 'a folder made by saeforest train --out',
    });
  }
  const config = readConfig(join(folder, RUN_FILES.config));
  const checkpoint = latestCheckpoint(folder);
  if (!checkpoint)
    throw new InputError('the run holds no checkpoint yet', {
      where: folder,
      hint: 'saeforest train --resume --out with this folder',
    });
  const cfg = readCfg(checkpoint);
  const { d, batch, steps, seed, normalization } = cfg;
  checkTrainedWith(config, stepsOf(config.common), cfg, join(folder, RUN_FILES.config));
  const sae = config.architecture.build(config.sae, { device, d, seed, batch, steps });
  loadWeights(checkpoint, device, sae);
  const source = (acts = config.common.acts): Promise<ActivationSource> =>
    openSource({ ...config.common, acts }, normalization);
  return { folder, checkpoint, step: readState(checkpoint).step, config, sae, normalization, source };
}
