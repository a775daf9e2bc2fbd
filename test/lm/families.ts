/** The test models of test/fixtures/lm: what each has to show, and how far it is from it. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { f16ToF32Table } from '../../src/core/floats.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { feed } from '../../src/lm/feeds.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { readOnnxModel } from '../../src/lm/onnx/model-file.ts';
import { HOOKS, siteName, type Hook } from '../../src/lm/site.ts';
import type { TokenBatch } from '../../src/lm/tokens.ts';
import { TOKENIZER } from './folder.ts';

export const FIXTURES = join(import.meta.dirname, '../fixtures/lm');
const MODEL = '.onnx.gz';

export interface FamilyModel {
  readonly family: string;
  readonly export: string;
}

/** All test models; those that are to be refused have no reference. */
export function familyModels(): { readonly models: FamilyModel[]; readonly refused: string[] } {
  const folders = readdirSync(FIXTURES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const models: FamilyModel[] = [];
  const refused: string[] = [];
  for (const { name: family } of folders) {
    const files = readdirSync(join(FIXTURES, family)).sort();
    if (!files.includes('reference.safetensors')) refused.push(family);
    else
      for (const file of files) if (file.endsWith(MODEL)) models.push({ family, export: file.slice(0, -MODEL.length) });
  }
  return { models, refused };
}

/** Writes one model of a family with all that belongs to it; @returns the path of its ONNX file */
export function unpack(family: string, model: string, into: string): string {
  const folder = join(into, family);
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  const from = join(FIXTURES, family);
  const vocab = Object.fromEntries(Array.from({ length: 48 }, (_, i) => [`t${i}`, i]));
  const tokenizer = { ...TOKENIZER, added_tokens: [], model: { type: 'WordLevel', vocab, unk_token: 't1' } };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(join(folder, 'tokenizer_config.json'), '{}');
  writeFileSync(join(folder, 'config.json'), readFileSync(join(from, 'config.json')));
  for (const file of readdirSync(from).filter((name) => name === `${model}${MODEL}` || name.includes('_data'))) {
    writeFileSync(join(folder, 'onnx', file.slice(0, -'.gz'.length)), gunzipSync(readFileSync(join(from, file))));
  }
  return join(folder, 'onnx', `${model}.onnx`);
}

/** What Python computed for one batch, padded on the right. */
export interface Reference {
  readonly batch: TokenBatch;
  readonly layers: number;
  /** Activations at a site, [n, length, d]. */
  at(hook: Hook, layer: number): Float32Array;
  readonly logits: Float32Array;
}

export function readReference(folder: string): Reference {
  const file = SafetensorsFile.open(join(folder, 'reference.safetensors'));
  try {
    const floats = (name: string): Float32Array => new Float32Array(file.read(name).buffer);
    const integers = (name: string): BigInt64Array => new BigInt64Array(file.read(name).buffer);
    const [n, length] = file.tensor('input_ids').shape;
    const [layers] = file.tensor('attn_out').shape;
    const [resid, attention, mlp] = ['resid', 'attn_out', 'mlp_out'].map(floats);
    const size = attention.length / layers;
    const part = (all: Float32Array, i: number): Float32Array => all.subarray(i * size, (i + 1) * size);
    return {
      batch: { n, length, ids: integers('input_ids'), mask: integers('attention_mask') },
      layers,
      at(hook, layer) {
        if (hook === 'resid_pre') return part(resid, layer);
        if (hook === 'resid_post') return part(resid, layer + 1);
        return part(hook === 'attn_out' ? attention : mlp, layer);
      },
      logits: floats('logits'),
    };
  } finally {
    file.close();
  }
}

/** Of two tensors of a batch, padding left out. */
export interface Distance {
  /** Largest difference, relative to the largest number. */
  readonly error: number;
  /** 1 − cosine of the angle between them. */
  readonly angle: number;
}

export interface Comparison {
  readonly layers: number;
  /** Logits of the file as it is against Python's. */
  readonly whole: Distance;
  /** Activations against Python's, the worst of all layers. */
  readonly sites: Readonly<Record<Hook, Distance>>;
  /** resid_pre + attn_out + mlp_out against resid_post. */
  readonly sum: Distance;
  /** Logits of prefix and suffix against those of the file as it is, the worst of all layers. */
  readonly halves: Distance;
}

export async function compare(path: string, reference: Reference): Promise<Comparison> {
  const { batch, layers } = reference;
  const logits = await runWhole(path, batch);
  const model = await LanguageModel.open(path);
  const acts = await runSites(model, batch);
  const at = (hook: Hook, layer: number): Float32Array => acts.get(siteName({ layer, hook }))!;
  const overLayers = (measure: (layer: number) => Distance): Distance =>
    Array.from({ length: layers }, (_, layer) => measure(layer)).reduce(worse);
  const sites = Object.fromEntries(
    HOOKS.map((hook) => [hook, overLayers((layer) => distance(at(hook, layer), reference.at(hook, layer), batch))]),
  ) as Record<Hook, Distance>;
  const sum = overLayers((layer) => {
    const [pre, attention, mlp] = HOOKS.filter((hook) => hook !== 'resid_post').map((hook) => at(hook, layer));
    const total = pre.map((value, i) => value + attention[i] + mlp[i]);
    return distance(total, at('resid_post', layer), batch);
  });
  const halves: Distance[] = [];
  for (let layer = 0; layer < model.info.layers; layer++) {
    const site = { layer, hook: 'resid_post' } as const;
    const [prefix, suffix] = [await model.prefix([site], { threads: 1 }), await model.suffix(layer, { threads: 1 })];
    const [residual] = await prefix.run(batch);
    halves.push(distance(await suffix.run(batch, residual), logits, batch));
    await prefix.release();
    await suffix.release();
  }
  const whole = distance(logits, reference.logits, batch);
  return { layers: model.info.layers, whole, sites, sum, halves: halves.reduce(worse) };
}

const worse = (a: Distance, b: Distance): Distance => ({
  error: Math.max(a.error, b.error),
  angle: Math.max(a.angle, b.angle),
});

/** Every site of the model, in one pass. */
async function runSites(model: LanguageModel, batch: TokenBatch): Promise<Map<string, Float32Array>> {
  const prefix = await model.prefix(model.sites, { threads: 1 });
  const results = await prefix.run(batch);
  await prefix.release();
  return new Map(model.sites.map((site, i) => [siteName(site), results[i]]));
}

/** Logits of the untouched file; one sequence after the other where it does not take several. */
async function runWhole(path: string, batch: TokenBatch): Promise<Float32Array> {
  const { graph } = readOnnxModel(path);
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !weights.has(name));
  const session = await InferenceSession.create(path, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  const run = async (some: TokenBatch): Promise<Float32Array> =>
    floatsOf((await session.run(feed(inputs, some))).logits);
  try {
    return await run(batch).catch(async () => {
      const rows: number[] = [];
      for (const row of rowsOf(batch)) rows.push(...(await run(row)));
      return Float32Array.from(rows);
    });
  } finally {
    await session.release();
  }
}

function rowsOf({ n, length, ids, mask }: TokenBatch): TokenBatch[] {
  return Array.from({ length: n }, (_, row) => {
    const [start, end] = [row * length, (row + 1) * length];
    return { n: 1, length, ids: ids.subarray(start, end), mask: mask.subarray(start, end) };
  });
}

function floatsOf({ type, data }: Tensor): Float32Array {
  if (type !== 'float16') return Float32Array.from(data as Float32Array);
  const table = f16ToF32Table();
  return Float32Array.from(data as Uint16Array, (bits) => table[bits]);
}

function distance(got: Float32Array, wanted: Float32Array, { n, length, mask }: TokenBatch): Distance {
  if (got.length !== wanted.length) return { error: Infinity, angle: Infinity };
  const width = got.length / (n * length);
  let [difference, largest, product, squares, otherSquares] = [0, 0, 0, 0, 0];
  for (const [i, value] of got.entries()) {
    if (mask[Math.floor(i / width)] === 0n) continue;
    difference = Math.max(difference, Number.isNaN(value) ? Infinity : Math.abs(value - wanted[i]));
    largest = Math.max(largest, Math.abs(wanted[i]));
    product += value * wanted[i];
    squares += value ** 2;
    otherSquares += wanted[i] ** 2;
  }
  return { error: difference / largest, angle: 1 - product / Math.sqrt(squares * otherSquares) };
}
