/** A language model on disk: what it is, its tokenizer, and its two halves at any layer. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, UsageError } from '../core/errors.ts';
import { readModelConfig, type ModelConfig } from './config.ts';
import type { StreamType } from './cut.ts';
import { FED_INPUTS } from './feeds.ts';
import { hashFiles } from './file-hash.ts';
import { Graph } from './graph.ts';
import { INT64 } from './onnx/element-types.ts';
import { readOnnxModel, type OnnxModel } from './onnx/model-file.ts';
import { measureStream, Prefix, Suffix } from './parts.ts';
import type { RunOptions } from './session.ts';
import { Tokenizer } from './tokenizer.ts';
import { siteName, type Site } from './site.ts';
import { findSiteTensors, type SiteTensors } from './site-tensors.ts';
import { findTrunk, list, type Trunk } from './trunk.ts';

export interface ModelInfo {
  /** As config.json names it. */
  readonly architecture: string;
  readonly layers: number;
  /** Width of the residual stream. */
  readonly d: number;
  readonly vocab: number;
  /** Tensor of the residual stream after each block. */
  readonly residuals: readonly { readonly layer: number; readonly tensor: string }[];
  /** Longest sequence that the model was made for; null if config.json does not say. */
  readonly context: number | null;
}

export class LanguageModel {
  readonly folder: string;
  readonly info: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly #model: OnnxModel;
  readonly #trunk: Trunk;
  readonly #places: SiteTensors;
  readonly #stream: StreamType;
  #hash: Promise<string> | undefined;

  private constructor(
    folder: string,
    config: ModelConfig,
    tokenizer: Tokenizer,
    model: OnnxModel,
    trunk: Trunk,
    places: SiteTensors,
    stream: StreamType,
  ) {
    this.folder = folder;
    this.tokenizer = tokenizer;
    this.#model = model;
    this.#trunk = trunk;
    this.#places = places;
    this.#stream = stream;
    this.info = {
      architecture: config.architecture,
      layers: trunk.blocks.length,
      d: stream.d,
      vocab: config.vocab ?? tokenizer.size,
      residuals: trunk.blocks.map(({ post }, layer) => ({ layer, tensor: post })),
      context: config.context ?? null,
    };
  }

  /**
   * Reads the folder, finds the residual stream and runs one token through the first block. The graph and the weights
   * inside the model file stay in memory until the model is dropped.
   * @param folder with config.json, tokenizer.json, tokenizer_config.json and onnx/model.onnx (or model.onnx)
   * @throws InputError if a file is missing or damaged, or the graph is not that of a language model
   */
  static async open(folder: string): Promise<LanguageModel> {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      throw new InputError('the model folder does not exist', { where: folder, hint: 'check the path' });
    }
    const config = readModelConfig(join(folder, 'config.json'));
    const tokenizer = Tokenizer.open(folder);
    const model = readOnnxModel(modelFile(folder));
    checkInputs(model);
    const whole = new Graph(model.graph, model.path);
    const trunk = findTrunk(whole, model.path);
    const residuals = trunk.blocks.map(({ post }) => post);
    if (config.layers !== undefined && config.layers !== residuals.length) {
      throw new InputError(
        `config.json says ${config.layers} layers, but ${residuals.length} blocks were found in the graph, ` +
          `with these residual tensors: ${list(residuals)}`,
        { where: model.path, hint: 'check that config.json and the ONNX file belong together' },
      );
    }
    const places = findSiteTensors(model, whole, trunk);
    const stream = await measureStream(model, places.graph, residuals[0]);
    if (config.d !== undefined && config.d !== stream.d) {
      throw new InputError(
        `config.json says a width of ${config.d}, but the residual stream "${residuals[0]}" has ${stream.d}`,
        { where: model.path, hint: 'check that config.json and the ONNX file belong together' },
      );
    }
    return new LanguageModel(folder, config, tokenizer, model, trunk, places, stream);
  }

  /** Inputs of the whole graph. */
  get inputs(): readonly string[] {
    return this.#places.graph.inputs;
  }

  /** Numbers in the weights of the graph. */
  get parameters(): number {
    const sizes = [...this.#places.graph.weights.values()].map(({ dims }) => dims.reduce((a, b) => a * Number(b), 1));
    return sizes.reduce((a, b) => a + b, 0);
  }

  /** sha256 of the model file and, if it has any, of its external data files after it in the order of their names. */
  hash(): Promise<string> {
    this.#hash ??= hashFiles([this.#model.path, ...this.#model.externalFiles]);
    return this.#hash;
  }

  /** Tokens → activations at some sites. @throws UsageError if the model has no such layer, or the layer no such place */
  async prefix(sites: readonly Site[], options?: RunOptions): Promise<Prefix> {
    const tensors = sites.map((site) => this.tensor(site));
    return Prefix.create(this.#model, this.#places.graph, tensors, this.#stream, options);
  }

  /** Residual stream after block `layer` → logits. @throws UsageError if there is no such layer */
  async suffix(layer: number, options?: RunOptions): Promise<Suffix> {
    this.residual(layer);
    return Suffix.create(this.#model, this.#places.graph, this.#trunk, layer, this.#stream, options);
  }

  /** All places where activations can be read, block by block. */
  get sites(): readonly Site[] {
    return this.#places.sites;
  }

  /** Tensor at a site. @throws UsageError if the model has no such layer, or the layer no such place */
  tensor(site: Site): string {
    this.residual(site.layer);
    const tensor = this.#places.tensors.get(siteName(site));
    if (tensor !== undefined) return tensor;
    throw new UsageError(`layer ${site.layer} has no ${site.hook}: it has no MLP of its own`, { where: this.folder });
  }

  /** Tensor of the residual stream after block `layer`. @throws UsageError if there is no such layer */
  residual(layer: number): string {
    const { layers } = this.info;
    if (Number.isInteger(layer) && layer >= 0 && layer < layers) return this.#trunk.blocks[layer].post;
    throw new UsageError(`there is no layer ${layer}: the model has layers 0 to ${layers - 1}`, { where: this.folder });
  }
}

function modelFile(folder: string): string {
  const usual = join(folder, 'onnx', 'model.onnx');
  const beside = join(folder, 'model.onnx');
  return !existsSync(usual) && existsSync(beside) ? beside : usual;
}

/** Refuses graphs with inputs that cannot be fed, instead of failing at the first run. */
function checkInputs({ graph, path }: OnnxModel): void {
  const weights = new Set(graph.initializer.map(({ name }) => name));
  for (const { name, type } of graph.input) {
    if (weights.has(name)) continue;
    if (!FED_INPUTS.includes(name)) {
      throw new InputError(`the graph asks for the input "${name}"; only ${list(FED_INPUTS)} can be given`, {
        where: path,
        hint: 'export the model without past key values (Optimum: --task text-generation)',
      });
    }
    if (type?.tensorType?.elemType !== INT64) {
      throw new InputError(`the graph's input "${name}" is not of type int64`, { where: path });
    }
  }
}
