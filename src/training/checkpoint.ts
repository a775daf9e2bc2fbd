/**
 * A checkpoint is a folder that exists completely or not at all, and never holds a number that is not finite:
 *   cfg.json                  what is needed to use the SAE: architecture, sizes, configuration, input normalisation, origin
 *   sae_weights.safetensors   parameters
 *   hierarchy.safetensors     parent and level of every latent (hierarchical architectures)
 *   trainer.safetensors       Adam's moments and device-side state
 *   state.json                step, host-side state, identity of the data
 * The same state always gives the same bytes: no times, no paths.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseInput } from '../core/config.ts';
import { DivergedError, InputError, OutputError } from '../core/errors.ts';
import {
  listFolder,
  makeFolder,
  outputError,
  readJsonFile,
  readTextFile,
  syncFolder,
  writeFileAtomic,
} from '../core/files.ts';
import { normalizationSchema } from '../activations/normalization.ts';
import { sizeOf, type Device, type Tensor } from '../engine/device.ts';
import type { Optimizer } from '../engine/optim.ts';
import { SafetensorsFile } from '../formats/safetensors.ts';
import { writeSafetensors, type TensorData } from '../formats/safetensors-writer.ts';
import type { HostState, TrainableSae } from '../sae/architecture.ts';

export const CFG_VERSION = 1;

export const cfgSchema = z.strictObject({
  format: z.literal('saeforest'),
  version: z.literal(CFG_VERSION),
  architecture: z.string(),
  d: z.number().int().positive(),
  width: z.number().int().positive(),
  config: z.record(z.string(), z.unknown()),
  normalization: normalizationSchema,
  views: z.array(z.strictObject({ name: z.string(), from: z.number().int(), to: z.number().int() })),
  /** Batch size and steps of the training: schedules depend on them. */
  batch: z.number().int().positive(),
  steps: z.number().int().positive(),
  seed: z.number().int(),
  /** Where the activations came from. */
  source: z.json(),
});
export type Cfg = z.output<typeof cfgSchema>;

const stateSchema = z.strictObject({
  step: z.number().int().min(0),
  adamSteps: z.number().int().min(0),
  skippedSteps: z.number().int().min(0),
  /** Total loss of the first step, or mean ‖x‖² of a batch if that is more: what an explosion is judged by. */
  firstLoss: z.number().nullable(),
  hostState: z.record(z.string(), z.number()),
  sourceHash: z.string(),
});
export type CheckpointState = z.output<typeof stateSchema>;

const LATEST = 'latest';
const FOLDER = 'checkpoints';

const DAMAGED = 'the checkpoint is damaged or was edited: restore it, or point `latest` to an older one';

const UNFINISHED = /^\.\d+\.tmp$/;
const FINISHED = /^\d{7,}$/;

/**
 * Writes `checkpoints/<step>`, then switches `latest` to it by rename, then removes old ones.
 * @throws DivergedError if a tensor is not finite, OutputError when it cannot be written; the checkpoints before are kept
 */
export async function saveCheckpoint(
  run: string,
  device: Device,
  sae: TrainableSae,
  optimizer: Optimizer,
  cfg: Cfg,
  state: CheckpointState,
  keep: number,
): Promise<void> {
  const parent = join(run, FOLDER);
  makeFolder(parent);
  const name = String(state.step).padStart(7, '0');
  const folder = join(parent, name);
  // The same step has the same bytes, and what `latest` names must not be gone for a moment.
  if (latestCheckpoint(run) === folder) return;
  const temporary = hiddenName(folder);
  try {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    writeFileAtomic(join(temporary, 'cfg.json'), `${JSON.stringify(cfg, null, 2)}\n`);
    const weights = Object.fromEntries(sae.parameters.map((parameter) => [parameter.name, parameter.tensor]));
    await writeTensors(join(temporary, 'sae_weights.safetensors'), device, weights, run);
    await writeTensors(join(temporary, 'trainer.safetensors'), device, { ...optimizer.state, ...sae.state }, run);
    if (sae.forest) {
      const { parent: parents, level } = sae.forest;
      writeSafetensors(join(temporary, 'hierarchy.safetensors'), {
        parent: { dtype: 'I32', shape: [sae.width], data: parents },
        level: { dtype: 'I32', shape: [sae.width], data: Int32Array.from(level) },
      });
    }
    writeFileAtomic(join(temporary, 'state.json'), `${JSON.stringify(state, null, 2)}\n`);
    renameSync(temporary, folder);
    syncFolder(parent);
    writeFileAtomic(join(run, LATEST), `${FOLDER}/${name}\n`);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    const reported = outputError(folder, error);
    if (!(reported instanceof OutputError)) throw reported;
    throw new OutputError(reported.message, {
      where: folder,
      hint: 'the checkpoint before is kept: make room, then the same command with --resume goes on from there',
      cause: error,
    });
  }
  const steps = finishedSteps(parent);
  for (const old of steps.slice(0, -keep)) discard(join(parent, old));
}

/** Removes what a killed process left behind: unfinished checkpoints, and finished ones that `latest` does not name yet. */
export function removeUnfinished(run: string): void {
  const parent = join(run, FOLDER);
  for (const entry of listFolder(parent)) {
    if (UNFINISHED.test(entry)) rmSync(join(parent, entry), { recursive: true, force: true });
  }
  const latest = latestCheckpoint(run);
  const step = latest === undefined ? -1 : Number(basename(latest));
  for (const entry of finishedSteps(parent)) if (Number(entry) > step) discard(join(parent, entry));
}

/** Names of complete checkpoints, oldest first. */
function finishedSteps(parent: string): string[] {
  return listFolder(parent)
    .filter((entry) => FINISHED.test(entry))
    .sort((a, b) => Number(a) - Number(b));
}

/** Hides a checkpoint before its files go one by one. */
function discard(folder: string): void {
  const hidden = hiddenName(folder);
  rmSync(hidden, { recursive: true, force: true });
  renameSync(folder, hidden);
  rmSync(hidden, { recursive: true, force: true });
}

/** Where a checkpoint is while it is written or removed. */
const hiddenName = (folder: string): string => join(folder, '..', `.${basename(folder)}.tmp`);

/** Folder of the latest complete checkpoint of a run, or undefined if there is none yet. */
export function latestCheckpoint(run: string): string | undefined {
  if (!existsSync(join(run, LATEST))) return undefined;
  return join(run, readTextFile(join(run, LATEST), 'pointer to the latest checkpoint').trim());
}

/** @throws InputError */
export function readCfg(checkpoint: string): Cfg {
  const path = join(checkpoint, 'cfg.json');
  return parseInput(
    cfgSchema,
    readJsonFile(path, 'SAE configuration'),
    path,
    'is this a folder written by saeforest train?',
  );
}

/** @throws InputError */
export function readState(checkpoint: string): CheckpointState {
  const path = join(checkpoint, 'state.json');
  return parseInput(stateSchema, readJsonFile(path, 'training state'), path, 'resume needs a complete checkpoint');
}

/**
 * Loads the parameters and the state: all that encoding needs.
 * @throws InputError for what no training writes: other shapes, numbers that are not finite, links that are no forest of the model
 */
export function loadWeights(checkpoint: string, device: Device, sae: TrainableSae): void {
  const weights = Object.fromEntries(sae.parameters.map((parameter) => [parameter.name, parameter.tensor]));
  loadTensors(join(checkpoint, 'sae_weights.safetensors'), device, weights);
  const path = join(checkpoint, 'trainer.safetensors');
  const state = loadTensors(path, device, sae.state);
  sae.hostState = hostStateFor(sae, checkpoint);
  try {
    sae.restore?.(state);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.message, { where: path, hint: DAMAGED, cause: error });
  }
}

/** The numbers that a model of this kind keeps, no others: a missing one would become a NaN in the loss. */
function hostStateFor(sae: TrainableSae, checkpoint: string): HostState {
  const { hostState } = readState(checkpoint);
  const [found, wanted] = [hostState, sae.hostState].map((numbers) => Object.keys(numbers).toSorted().join(', '));
  if (found === wanted) return hostState;
  throw new InputError(`hostState has ${found || 'nothing'}, expected ${wanted || 'nothing'}`, {
    where: join(checkpoint, 'state.json'),
    hint: DAMAGED,
  });
}

/** Loads what only training needs. */
export function loadOptimizer(checkpoint: string, device: Device, optimizer: Optimizer): void {
  loadTensors(join(checkpoint, 'trainer.safetensors'), device, optimizer.state);
  optimizer.taken = readState(checkpoint).adamSteps;
}

async function writeTensors(path: string, device: Device, tensors: Record<string, Tensor>, run: string): Promise<void> {
  const host: Record<string, TensorData> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.dtype === 'u32') {
      const data = await device.read(tensor as Tensor & { dtype: 'u32' });
      host[name] = { dtype: 'U32', shape: tensor.shape, data };
      continue;
    }
    const data = await device.read(tensor as Tensor & { dtype: 'f32' });
    if (!data.every(Number.isFinite)) {
      throw new DivergedError(`training diverged: ${name} holds values that are not finite`, {
        where: run,
        hint: 'a smaller learning rate, or inputs of ordinary scale (normalize: scalar); the last good checkpoint is kept',
      });
    }
    host[name] = { dtype: 'F32', shape: tensor.shape, data };
  }
  writeSafetensors(path, host);
}

function loadTensors(
  path: string,
  device: Device,
  tensors: Record<string, Tensor>,
): Record<string, Float32Array | Uint32Array> {
  const loaded: Record<string, Float32Array | Uint32Array> = {};
  const file = SafetensorsFile.open(path);
  try {
    for (const [name, tensor] of Object.entries(tensors)) {
      const info = file.tensor(name);
      if (info.shape.join() !== tensor.shape.join()) {
        throw new InputError(
          `tensor ${name} has shape [${info.shape.join(', ')}], expected [${tensor.shape.join(', ')}] (${sizeOf(tensor.shape)} numbers)`,
          { where: path },
        );
      }
      const values = tensor.dtype === 'u32' ? file.readUint32(name) : file.readFloat32(name);
      if (tensor.dtype !== 'u32' && !values.every(Number.isFinite))
        throw new InputError(`tensor ${name} holds numbers that are not finite`, { where: path, hint: DAMAGED });
      loaded[name] = values;
      device.write(tensor, values);
    }
    return loaded;
  } finally {
    file.close();
  }
}
