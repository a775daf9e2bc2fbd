/** The model that the repository ships, against the world, PyTorch and its own model card. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WorldCard } from '../../src/evals/world-card/card.ts';
import { NextTokens } from '../../src/evals/world-card/next-tokens.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import type { Site } from '../../src/lm/site.ts';
import { packTokens } from '../../src/lm/tokens.ts';
import { World } from '../../src/world/world.ts';

const folder = join(import.meta.dirname, '../../assets/world');
const card = JSON.parse(readFileSync(join(folder, 'card.json'), 'utf8')) as WorldCard;
const training = JSON.parse(readFileSync(join(folder, 'training.json'), 'utf8')) as {
  data: { hash: string; tokens: number };
  parameters: number;
  tokensSeen: number;
};
const world = new World();
const model = await LanguageModel.open(folder);

describe('the embedded model', () => {
  it('is a small folder: at most 6 MB with its tokenizer', () => {
    const names = ['onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json', 'config.json'];
    const bytes = names.reduce((total, name) => total + statSync(join(folder, name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(6_000_000);
    expect(readdirSync(join(folder, 'onnx'))).toEqual(['model.onnx']);
  });

  it('opens as what config.json and the card say it is', async () => {
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(model.inputs).toEqual(['input_ids', 'attention_mask']);
    expect(model.info).toMatchObject({
      architecture: 'LlamaForCausalLM',
      layers: config.num_hidden_layers,
      d: config.hidden_size,
      vocab: config.vocab_size,
      context: config.max_position_embeddings,
    });
    expect(await model.hash()).toBe(card.model.sha256);
    expect(model.tokenizer.size).toBe(world.vocabulary.length);
  });

  it('was trained on this world, on no token twice', () => {
    expect(training.data.hash).toBe(world.hash);
    expect(card.world.hash).toBe(world.hash);
    expect(training.tokensSeen).toBeLessThanOrEqual(training.data.tokens);
  });

  it('reads text as the generator wrote it', () => {
    for (const split of ['train', 'held-out', 'new-combinations'] as const) {
      for (let i = 0; i < 50; i++) {
        const document = world.document(split, i);
        expect(model.tokenizer.encodeDocument(world.textOf(document))).toEqual(document.tokens);
      }
    }
  });
});

function expectClose(actual: Float32Array, wanted: Float32Array): void {
  expect(actual.length).toBe(wanted.length);
  const most = wanted.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  const worst = actual.reduce((largest, value, i) => Math.max(largest, Math.abs(value - wanted[i])), 0);
  expect(worst / most).toBeLessThan(1e-5);
}

describe('the embedded model against PyTorch', () => {
  const file = SafetensorsFile.open(join(import.meta.dirname, '../fixtures/world-model/reference.safetensors'));
  const ids = file.readInt32('ids');
  const length = ids.length / 2;
  const lengths = [0, 1].map((row) =>
    file
      .readInt32('mask')
      .subarray(row * length, (row + 1) * length)
      .indexOf(0),
  );
  const sequences = lengths.map((end, row) => ids.subarray(row * length, row * length + (end < 0 ? length : end)));
  const batch = packTokens(sequences, 0);
  const { d, layers, vocab } = model.info;

  /** Rows of the tokens that are not padding. */
  const rows = sequences.flatMap((tokens, row) => [...tokens.keys()].map((i) => row * length + i));

  it('has the same residual stream at every layer, padding or not', async () => {
    const sites: Site[] = [
      { layer: 0, hook: 'resid_pre' },
      ...model.info.residuals.map(({ layer }): Site => ({ layer, hook: 'resid_post' })),
    ];
    const prefix = await model.prefix(sites);
    const stream = await prefix.run(batch);
    await prefix.release();
    expect(stream.length).toBe(layers + 1);
    const kept = stream.flatMap((values) => rows.flatMap((row) => [...values.subarray(row * d, (row + 1) * d)]));
    expectClose(Float32Array.from(kept), file.readFloat32('residuals'));
  });

  it('has the same logits at the end of both sequences, cut at any layer', async () => {
    for (let layer = 0; layer < layers; layer++) {
      const [prefix, suffix] = [await model.prefix([{ layer, hook: 'resid_post' }]), await model.suffix(layer)];
      const [residual] = await prefix.run(batch);
      const logits = await suffix.run(batch, residual);
      const last = sequences.flatMap((tokens, row) => {
        const at = (row * length + tokens.length - 1) * vocab;
        return [...logits.subarray(at, at + vocab)];
      });
      expectClose(Float32Array.from(last), file.readFloat32('logits'));
      await prefix.release();
      await suffix.release();
    }
  });
});

describe('the model card', () => {
  it('gives the loss that the model has, which is below that of trigrams', async () => {
    const nextTokens = await NextTokens.open(model);
    for (const split of ['held-out', 'new-combinations'] as const) {
      const documents = Array.from({ length: 200 }, (_, i) => world.document(split, i).tokens);
      const losses = (await nextTokens.losses(documents)).flatMap((of) => [...of]);
      const loss = losses.reduce((a, b) => a + b, 0) / losses.length;
      const { model: stated, baselines } = card.losses[split].all;
      expect(Math.abs(loss - stated.value)).toBeLessThan(0.15);
      expect(loss).toBeLessThan(baselines.trigram.value - 0.5);
    }
    await nextTokens.release();
  });

  it('is what make-card.mjs makes of the measurements', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'make-card.mjs'), '--check'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
