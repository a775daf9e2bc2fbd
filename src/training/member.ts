/** One SAE in training with its run folder. */
import { join } from 'node:path';
import { FolderLock } from '../core/lock.ts';
import { removeTemporaries, writeFileAtomic } from '../core/files.ts';
import { InputError } from '../core/errors.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device } from '../engine/device.ts';
import { Optimizer } from '../engine/optim.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import {
  CFG_VERSION,
  latestCheckpoint,
  loadOptimizer,
  loadWeights,
  readCfg,
  readState,
  removeUnfinished,
  saveCheckpoint,
  type Cfg,
} from './checkpoint.ts';
import { stepsOf, type RunConfig } from './config.ts';
import { checkTrainedWith, MetricsLog, RUN_FILES, writeConfig, type RunState } from './runs.ts';

export interface RunFacts {
  version: string;
  command: readonly string[];
  device: Device['info'];
}

export class Member {
  /** What tells it apart from others of the same run. */
  readonly name: string;
  readonly folder: string;
  readonly config: RunConfig;
  readonly source: ActivationSource;
  readonly sae: TrainableSae;
  readonly optimizer: Optimizer;
  readonly steps: number;
  /** Next step to do. */
  step = 0;
  skippedSteps = 0;
  firstLoss: number | null = null;
  badInRow = 0;
  readonly #lock: FolderLock;
  readonly #facts: RunFacts;
  #log: MetricsLog | undefined;
  readonly #started = new Date().toISOString();

  /**
   * Takes an existing folder: an empty one, or that of a run to go on with. Nothing is written before {@link begin}.
   * @throws InputError when the checkpoint was made with other data, ConfigError when with another configuration;
   * OutputError when another process holds the folder
   */
  constructor(
    folder: string,
    config: RunConfig,
    source: ActivationSource,
    device: Device,
    facts: RunFacts,
    name = config.architecture.name,
  ) {
    const { architecture, common, sae } = config;
    this.name = name;
    this.folder = folder;
    this.config = config;
    this.source = source;
    this.steps = stepsOf(common);
    this.#facts = facts;
    this.#lock = FolderLock.acquire(folder);
    try {
      removeTemporaries(folder);
      removeUnfinished(folder);
      this.sae = architecture.build(sae, {
        device,
        d: source.d,
        seed: common.seed,
        batch: common.batch,
        steps: this.steps,
      });
      this.optimizer = new Optimizer(device, this.sae.parameters, this.sae.update);
      this.#restore(device);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #restore(device: Device): void {
    const checkpoint = latestCheckpoint(this.folder);
    if (!checkpoint) return;
    const state = readState(checkpoint);
    if (state.sourceHash !== this.source.identity.hash) {
      throw new InputError('the activations are not those that this run was trained on', {
        where: checkpoint,
        hint: `resume with the same data: ${this.config.common.acts} as it was, or start a new run`,
      });
    }
    checkTrainedWith(this.config, this.steps, readCfg(checkpoint), join(this.folder, RUN_FILES.config));
    loadWeights(checkpoint, device, this.sae);
    loadOptimizer(checkpoint, device, this.optimizer);
    this.step = state.step;
    this.skippedSteps = state.skippedSteps;
    this.firstLoss = state.firstLoss;
  }

  /** Writes what makes the folder a run. */
  begin(): void {
    writeConfig(this.folder, this.config);
    this.#log = new MetricsLog(this.folder, this.step);
    this.setState('running');
  }

  log(record: Record<string, unknown>): void {
    this.#log?.append(record);
  }

  /** The last numbers of metrics.jsonl. */
  get latest(): Readonly<Record<string, unknown>> {
    return this.#log?.latest ?? {};
  }

  /** @throws DivergedError, OutputError; the checkpoint before is kept */
  async save(device: Device): Promise<void> {
    this.#log?.sync();
    const { sae, source, config } = this;
    const cfg: Cfg = {
      format: 'saeforest',
      version: CFG_VERSION,
      architecture: sae.architecture,
      d: sae.d,
      width: sae.width,
      config: config.sae,
      normalization: source.normalization,
      views: [...sae.views],
      batch: config.common.batch,
      steps: this.steps,
      seed: config.common.seed,
      source: source.identity.description as Cfg['source'],
    };
    const state = {
      step: this.step,
      adamSteps: this.optimizer.taken,
      skippedSteps: this.skippedSteps,
      firstLoss: this.firstLoss,
      hostState: sae.hostState,
      sourceHash: source.identity.hash,
    };
    await saveCheckpoint(this.folder, device, sae, this.optimizer, cfg, state, config.common.keepCheckpoints);
  }

  /** Writes `run.json`. */
  setState(state: RunState): void {
    const { version, command, device } = this.#facts;
    const facts = {
      state,
      architecture: this.config.architecture.name,
      step: this.step,
      steps: this.steps,
      seed: this.config.common.seed,
      device,
      source: this.source.identity,
      versions: { saeforest: version, node: process.version },
      command,
      started: this.#started,
      updated: new Date().toISOString(),
    };
    writeFileAtomic(join(this.folder, RUN_FILES.run), `${JSON.stringify(facts, null, 2)}\n`);
  }

  close(): void {
    this.#log?.close();
    this.#log = undefined;
    this.#lock.release();
  }
}
