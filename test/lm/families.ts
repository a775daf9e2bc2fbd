/** Compares a model with what Python computed from the same weights, at every site, and its halves with the whole. */
import { create } from '@bufbuild/protobuf';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { feed } from '../../src/lm/feeds.ts';
import { Graph } from '../../src/lm/graph.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { readOnnxModel } from '../../src/lm/onnx/model-file.ts';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from '../../src/lm/onnx/onnx_pb.ts';
import { asPlain } from '../../src/lm/plain.ts';
import { HOOKS, type Hook } from '../../src/lm/site.ts';
import type { TokenBatch } from '../../src/lm/tokens.ts';
import { encode } from './tiny.ts';
import { dirname } from 'node:path';

/** What Python computed for one batch, padded on the right. */
export interface Reference {
  readonly batch: TokenBatch;
  readonly layers: number;
  /** Activations at a site, [n, length, d]. */
  at(hook: Hook, layer: number): Float32Array;
  readonly logits: Float32Array;
}

export function readReference(path: string): Reference {
  const file = SafetensorsFile.open(path);
  try {
    const floats = (name: string): Float32Array => new Float32Array(file.read(name).buffer);
    const integers = (name: string): BigInt64Array => new BigInt64Array(file.read(name).buffer);
    const [n, length] = file.tensor('input_ids').shape;
    const [layers] = file.tensor('attn_out').shape;
    const [resid, attention, mlp] = ['resid', 'attn_out', 'mlp_out'].map(floats);
    const part = (all: Float32Array, i: number): Float32Array => {
      const size = attention.length / layers;
      return all.subarray(i * size, (i + 1) * size);
    };
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

/** Largest errors relative to the largest number, padding left out. */
export interface Comparison {
  /** Whole model, as the file is, against Python. */
  readonly whole: number;
  /** Activations against Python, over all layers. */
  readonly sites: Record<Hook, number>;
  /** Prefix · suffix against the whole model, over all layers. */
  readonly halves: number;
}

export async function compare(path: string, reference: Reference): Promise<Comparison> {
  const { batch } = reference;
  const logits = await runWhole(path, batch);
  const model = await LanguageModel.open(path);
  const error = (got: Float32Array, wanted: Float32Array): number => relativeError(got, wanted, batch);
  const acts = await runSites(path, model, batch);
  const sites = Object.fromEntries(
    HOOKS.map((hook) => {
      const errors = Array.from({ length: reference.layers }, (_, layer) => {
        const got = acts.get(model.tensor({ hook, layer }));
        return got ? error(got, reference.at(hook, layer)) : NaN;
      });
      return [hook, Math.max(...errors)];
    }),
  ) as Record<Hook, number>;
  let halves = 0;
  for (let layer = 0; layer < model.info.layers; layer++) {
    const [prefix, suffix] = [await model.prefix(layer, { threads: 1 }), await model.suffix(layer, { threads: 1 })];
    halves = Math.max(halves, error(await suffix.run(batch, await prefix.run(batch)), logits));
    await prefix.release();
    await suffix.release();
  }
  return { whole: error(logits, reference.logits), sites, halves };
}

/** Logits of the untouched file. */
async function runWhole(path: string, batch: TokenBatch): Promise<Float32Array> {
  const { graph } = readOnnxModel(path);
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
  const results = await session.run(
    feed(
      graph.input.filter(({ name }) => !weights.has(name)),
      batch,
    ),
  );
  return floatsOf(results.logits ?? results[session.outputNames[0]]);
}

async function runSites(path: string, model: LanguageModel, batch: TokenBatch): Promise<Map<string, Float32Array>> {
  const plain = asPlain(readOnnxModel(path));
  const graph = new Graph(plain.graph, path);
  const tensors = [...new Set(model.sites.map((site) => model.tensor(site)))].filter(
    (t) => graph.producer(t) !== undefined,
  );
  const casts = tensors.map((t) =>
    create(NodeProtoSchema, {
      opType: 'Cast',
      input: [t],
      output: [`${t}_site`],
      attribute: [create(AttributeProtoSchema, { name: 'to', i: 1n, type: 2 })],
    }),
  );
  const { node, name, initializer, input } = plain.graph;
  const cut = create(GraphProtoSchema, {
    node: [...node, ...casts],
    name,
    initializer,
    input,
    output: tensors.map((t) => ({ name: `${t}_site`, type: { tensorType: { elemType: 1 } } })),
  });
  const session = await InferenceSession.create(encode(create(ModelProtoSchema, { ...plain.proto, graph: cut })), {
    logSeverityLevel: 4,
    extra: { session: { model_external_initializers_file_folder_path: dirname(path) } },
  });
  const results = await session.run(feed(input, batch));
  return new Map(tensors.map((t) => [t, floatsOf(results[`${t}_site`])]));
}

const floatsOf = ({ data }: Tensor): Float32Array => Float32Array.from(data as Float32Array);

function relativeError(got: Float32Array, wanted: Float32Array, { n, length, mask }: TokenBatch): number {
  if (got.length !== wanted.length) return Infinity;
  const width = got.length / (n * length);
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < got.length; i++) {
    if (mask[Math.floor(i / width)] === 0n) continue;
    largest = Math.max(largest, Math.abs(wanted[i]));
    worst = Math.max(worst, Math.abs(got[i] - wanted[i]));
    if (Number.isNaN(got[i])) return NaN;
  }
  return worst / largest;
}
