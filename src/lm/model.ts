/** A language model on disk: what it is, its tokenizer, and its two halves at any layer. */
import { join } from 'node:path';
import { InputError, UsageError } from '../core/errors.ts';
import { readModelConfig, type ModelConfig } from './config.ts';
import type { StreamType } from './cut.ts';
import { refusal, TOKENS } from './feeds.ts';
import { hashFiles } from './file-hash.ts';
import { Graph } from './graph.ts';
import { measureStream } from './measure.ts';
import { findModelFiles } from './model-files.ts';
import { readOnnxModel, type OnnxModel } from './onnx/model-file.ts';
import { Prefix, Suffix } from './parts.ts';
import type { Halves } from './run.ts';
import { asPlain } from './plain.ts';
import type { RunOptions } from './session.ts';
import { tableSizes, type TableSizes } from './tables.ts';
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
  /** All places where activations can be read, block by block, with their tensors. */
  readonly sites: readonly (Site & { readonly tensor: string })[];
  /** Longest sequence that the model was made for; null if neither config.json nor a table of positions says. */
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
    sizes: TableSizes,
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
      vocab: config.vocab ?? sizes.tokens ?? tokenizer.size,
      residuals: trunk.blocks.map(({ post }, layer) => ({ layer, tensor: post })),
      sites: places.sites.map((site) => ({ ...site, tensor: places.tensors.get(siteName(site))! })),
      context: shorter(config.context, sizes.positions) ?? null,
    };
  }

  /**
   * Finds the residual stream in the model's graph and runs a few tokens through the first block. The graph and the
   * weights inside the model file stay in memory until the model is dropped.
   * @param path a folder with config.json, tokenizer.json, tokenizer_config.json and onnx/model.onnx (or another of
   * {@link USUAL_MODELS}), or an ONNX file in such a folder or in its folder onnx/
   * @throws InputError if a file is missing or damaged, or the graph is not that of a causal language model
   */
  static async open(path: string): Promise<LanguageModel> {
    const { folder, model: file } = findModelFiles(path);
    const config = readModelConfig(join(folder, 'config.json'));
    const model = asPlain(readOnnxModel(file));
    checkInputs(model, config);
    const whole = new Graph(model.graph, model.path);
    const trunk = findTrunk(whole, model.path, config.layers);
    const sizes = tableSizes(whole, trunk.blocks[0].pre);
    if (config.vocab !== undefined && sizes.tokens !== undefined && sizes.tokens < config.vocab) {
      throw new InputError(
        `config.json says a vocabulary of ${config.vocab}, but the model has embeddings for ${sizes.tokens} tokens only`,
        { where: model.path, hint: 'check that config.json and the ONNX file belong together' },
      );
    }
    const tokenizer = Tokenizer.open(folder, sizes.tokens);
    const places = findSiteTensors(model, whole, trunk);
    const [{ post }] = trunk.blocks;
    const stream = await measureStream(model, places.graph, post, sizes.tokens);
    if (config.d !== undefined && config.d !== stream.d) {
      throw new InputError(
        `config.json says a width of ${config.d}, but the residual stream "${post}" has ${stream.d}`,
        { where: model.path, hint: 'check that config.json and the ONNX file belong together' },
      );
    }
    checkLogits(model, trunk.logits, stream.d, sizes.tokens ?? config.vocab);
    return new LanguageModel(folder, config, tokenizer, model, trunk, places, sizes, stream);
  }

  /** Path of the ONNX file. */
  get file(): string {
    return this.#model.path;
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
    return Prefix.create(this.#model, this.#places.graph, this.#tensors(sites), this.#stream, options);
  }

  /** The same in binary16. */
  async halfPrefix(sites: readonly Site[], options?: RunOptions): Promise<Prefix<Halves>> {
    return Prefix.createHalf(this.#model, this.#places.graph, this.#tensors(sites), this.#stream, options);
  }

  #tensors(sites: readonly Site[]): string[] {
    return sites.map((site) => this.tensor(site));
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

/** Refuses graphs with inputs that cannot be fed, instead of failing at the first run. */
function checkInputs({ graph, path }: OnnxModel, { isEncoderDecoder }: ModelConfig): void {
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !weights.has(name));
  if (isEncoderDecoder || inputs.some(({ name }) => /^(encoder|decoder)_/.test(name))) {
    throw new InputError('half of an encoder-decoder model, which predicts from a second text', {
      where: path,
      hint: 'take a decoder-only model',
    });
  }
  if (inputs.some(({ name }) => name === 'inputs_embeds')) {
    throw new InputError('the graph takes embeddings ("inputs_embeds") instead of tokens', {
      where: path,
      hint: 'take an export whose input is "input_ids"',
    });
  }
  for (const input of inputs) {
    const reason = refusal(input);
    if (reason === undefined) continue;
    throw new InputError(`the graph's input "${input.name}" ${reason}`, {
      where: path,
      hint: 'export the model for text generation with free batch and sequence sizes: optimum-cli export onnx --task text-generation',
    });
  }
  if (!inputs.some(({ name }) => name === TOKENS)) {
    throw new InputError(`no input takes tokens; the graph has ${list(inputs.map(({ name }) => name))}`, {
      where: path,
    });
  }
}

/** Refuses exports without the head, as they are made for features: as logits, their hidden states would make no sense. */
function checkLogits({ graph, path }: OnnxModel, logits: string, d: number, vocab: number | undefined): void {
  const { value } = graph.output.find(({ name }) => name === logits)?.type?.tensorType?.shape?.dim.at(-1) ?? {};
  const width = value?.case === 'dimValue' ? Number(value.value) : undefined;
  if (!logits.includes('hidden_state') && (width !== d || width === vocab)) return;
  throw new InputError(`the graph returns hidden states ("${logits}") and no logits`, {
    where: path,
    hint: 'export the model for text generation: optimum-cli export onnx --task text-generation',
  });
}

function shorter(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
