import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { BFLOAT16 } from '../../src/lm/onnx/element-types.ts';
import { NodeProtoSchema, StringStringEntryProtoSchema, type ModelProto } from '../../src/lm/onnx/onnx_pb.ts';
import type { Site } from '../../src/lm/site.ts';
import { packTokens } from '../../src/lm/tokens.ts';
import { describeWithShared } from '../support/shared.ts';
import { completeFolder, CONFIG, TOKENIZER } from './folder.ts';
import { asModel, encode, GraphBuilder, intAttribute, intsAttribute, tinyTransformer } from './tiny.ts';

const tiny = tinyTransformer({ layers: 2, wiring: 'sequential' });
const batch = packTokens([Int32Array.of(2, 3, 4), Int32Array.of(5)], 0);
const post = (layer: number): Site => ({ layer, hook: 'resid_post' });

const perm = (...axes: number[]) => [intsAttribute('perm', axes)];

async function failure(folder: string): Promise<Error> {
  const error: unknown = await LanguageModel.open(folder).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InputError);
  return error as Error;
}

async function contextWhere(says: number): Promise<number | null> {
  const folder = completeFolder(tiny.model, { 'config.json': { ...CONFIG, n_positions: says } });
  return (await LanguageModel.open(folder)).info.context;
}

/** A tokenizer of `size` words, and a token after them. */
function vocabulary(size: number, special: boolean) {
  const words = Array.from({ length: size - 2 }, (_, i) => [`w${i}`, i + 2]);
  const vocab = { '<unk>': 1, ...Object.fromEntries(words) };
  const added_tokens = [{ id: size, content: '<image>', special, normalized: false }];
  return { 'tokenizer.json': { ...TOKENIZER, added_tokens, model: { ...TOKENIZER.model, vocab } } };
}

describe('LanguageModel', () => {
  it('says what it found, feeds positions, and composes its halves', async () => {
    const folder = completeFolder(tiny.model);
    const model = await LanguageModel.open(folder);
    expect(model.info).toMatchObject({
      architecture: 'TinyForCausalLM',
      layers: 2,
      d: 8,
      vocab: 11,
      residuals: tiny.residuals.map((tensor, layer) => ({ layer, tensor })),
      context: 32,
    });
    expect(model.inputs).toEqual(['input_ids', 'attention_mask', 'position_ids']);
    const logits: Float32Array[] = [];
    for (const layer of [0, 1]) {
      const [prefix, suffix] = [await model.prefix([post(layer)], { threads: 1 }), await model.suffix(layer)];
      const [residual] = await prefix.run(batch);
      expect(residual.length).toBe(2 * 3 * 8);
      logits.push(await suffix.run(batch, residual));
      await prefix.release();
      await suffix.release();
    }
    expect(logits[0].length).toBe(2 * 3 * 11);
    for (const [i, value] of logits[0].entries()) expect(logits[1][i]).toBeCloseTo(value, 5);
  });

  it('gives several sites in one pass, in the order in which they were asked for', async () => {
    const model = await LanguageModel.open(completeFolder(tiny.model));
    const sites: Site[] = [
      { layer: 1, hook: 'resid_post' },
      { layer: 0, hook: 'mlp_out' },
      { layer: 1, hook: 'resid_pre' },
      { layer: 0, hook: 'resid_post' },
    ];
    const together = await (await model.prefix(sites)).run(batch);
    for (const [i, site] of sites.entries())
      expect([together[i]]).toEqual(await (await model.prefix([site])).run(batch));
    expect(together[2]).toEqual(together[3]);
    expect(together[0]).not.toEqual(together[3]);
  });

  it('takes model.onnx beside the other files, and float16 models', async () => {
    const half = tinyTransformer({ layers: 2, wiring: '(a+m)+x', norm: 'layer', half: true });
    const folder = completeFolder(half.model, { 'onnx/model.onnx': undefined, 'model.onnx': encode(half.model) });
    const model = await LanguageModel.open(folder);
    const [prefix, suffix] = [await model.prefix([post(1)]), await model.suffix(1)];
    expect((await suffix.run(batch, (await prefix.run(batch))[0])).length).toBe(2 * 3 * 11);
  });

  it('loads weights from external data, and hashes them too', async () => {
    const { model: proto } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const data = moveOut(proto);
    const folder = completeFolder(proto, { 'onnx/weights.bin': data });
    const model = await LanguageModel.open(folder);
    const inline = await LanguageModel.open(completeFolder(tiny.model));
    const [outside, inside] = [await model.prefix([post(1)]), await inline.prefix([post(1)])];
    expect(await outside.run(batch)).toEqual(await inside.run(batch));
    const expected = createHash('sha256').update(encode(proto)).update(data).digest('hex');
    expect(await model.hash()).toBe(expected);
    writeFileSync(join(folder, 'onnx/weights.bin'), data.subarray(0, data.length - 1));
    expect((await failure(folder)).message).toContain('truncated');
  });

  it('follows links to external data, as in the cache of the Hub', async () => {
    const { model: proto } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const data = moveOut(proto);
    const folder = completeFolder(proto, { 'onnx/weights.bin': data });
    const expected = await (await LanguageModel.open(folder)).hash();
    mkdirSync(join(folder, 'blobs/deep'), { recursive: true });
    for (const [name, blob] of [
      ['model.onnx', 'blobs/0a'],
      ['weights.bin', 'blobs/deep/0b'],
    ]) {
      renameSync(join(folder, 'onnx', name), join(folder, blob));
      symlinkSync(join('..', blob), join(folder, 'onnx', name));
    }
    const linked = await LanguageModel.open(folder);
    const inline = await LanguageModel.open(completeFolder(tiny.model));
    const [outside, inside] = [await linked.suffix(0), await inline.suffix(0)];
    const [residual] = await (await linked.prefix([post(0)])).run(batch);
    expect(await outside.run(batch, residual)).toEqual(await inside.run(batch, residual));
    expect(await linked.hash()).toBe(expected);
  });

  it('names the valid layers', async () => {
    const model = await LanguageModel.open(completeFolder(tiny.model));
    for (const layer of [-1, 2, 0.5]) {
      await expect(model.prefix([post(layer)])).rejects.toThrow(UsageError);
      await expect(model.suffix(layer)).rejects.toThrow(`there is no layer ${layer}: the model has layers 0 to 1`);
    }
  });

  it.each([
    ['no config.json', { 'config.json': undefined }, 'no such file'],
    ['a damaged config.json', { 'config.json': '{"num_hid' }, 'not valid JSON'],
    ['nonsense in config.json', { 'config.json': { hidden_size: 'big' } }, 'hidden_size'],
    [
      'another number of layers',
      { 'config.json': { ...CONFIG, num_hidden_layers: 12 } },
      'config.json says 12 layers, but 2',
    ],
    ['another width', { 'config.json': { ...CONFIG, hidden_size: 64 } }, 'width of 64, but the residual stream'],
    [
      'another vocabulary',
      { 'config.json': { ...CONFIG, vocab_size: 64 } },
      'config.json says a vocabulary of 64, but the model has embeddings for 11 tokens only',
    ],
    ['no model', { 'onnx/model.onnx': undefined }, 'no such file'],
    ['a truncated model', { 'onnx/model.onnx': encode(tiny.model).subarray(0, 5000) }, 'truncated'],
    ['text for a model', { 'onnx/model.onnx': 'Entry not found' }, 'not a'],
    ['no tokenizer', { 'tokenizer.json': undefined }, 'no such file'],
    ['a truncated tokenizer', { 'tokenizer.json': '{"version"' }, 'not valid JSON'],
  ])('refuses a folder with %s', async (_, files, message) => {
    expect((await failure(completeFolder(tiny.model, files))).message).toContain(message);
  });

  it('reads a config.json with numbers that only Python knows', async () => {
    const text = `{"n_layer": 2, "limits": [0.0, Infinity], "x": -Infinity, "y": NaN, "name": "[NaN]", "hidden_size": 8}`;
    expect((await LanguageModel.open(completeFolder(tiny.model, { 'config.json': text }))).info.d).toBe(8);
  });

  it('refuses a folder that does not exist', async () => {
    expect((await failure('/nowhere/model')).message).toBe('the model folder does not exist');
  });

  it('refuses a graph with inputs that it cannot feed', async () => {
    const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const graph = model.graph!;
    const [ids] = graph.input;
    graph.input.push({ ...ids, name: 'pixels' });
    graph.node.push(create(NodeProtoSchema, { opType: 'Identity', input: ['pixels'], output: ['seen'] }));
    expect((await failure(completeFolder(model))).message).toContain('input "pixels" is not one that');
  });

  it('takes the ONNX file itself, with the files beside it or above it', async () => {
    const other = tinyTransformer({ layers: 2, wiring: '(a+m)+x' });
    const folder = completeFolder(tiny.model, { 'onnx/model_other.onnx': encode(other.model) });
    const model = await LanguageModel.open(join(folder, 'onnx/model_other.onnx'));
    expect([model.folder, model.file]).toEqual([folder, join(folder, 'onnx/model_other.onnx')]);
    expect(model.residual(0)).toBe(other.residuals[0]);
    expect((await LanguageModel.open(folder)).residual(0)).toBe(tiny.residuals[0]);
  });

  it('names every site of every layer', async () => {
    const model = await LanguageModel.open(completeFolder(tiny.model));
    expect(model.sites).toHaveLength(8);
    expect(model.sites[5]).toEqual({ layer: 1, hook: 'attn_out' });
    expect(model.tensor({ layer: 1, hook: 'attn_out' })).toBe(tiny.attention[1]);
    expect(model.tensor({ layer: 1, hook: 'resid_pre' })).toBe(tiny.residuals[0]);
    expect(model.info.sites.at(-2)).toEqual({ layer: 1, hook: 'mlp_out', tensor: tiny.mlp[1] });
    expect(() => model.tensor({ layer: 2, hook: 'mlp_out' })).toThrow('there is no layer 2');
  });

  it('says so if a layer has no MLP', async () => {
    const b = new GraphBuilder();
    const x = b.node('Gather', [b.weight(11, 8), 'input_ids']);
    const masked = b.node(
      'Trilu',
      [b.node('MatMul', [x, b.node('Transpose', [x], perm(0, 2, 1))])],
      [intAttribute('upper', 0)],
    );
    const y = b.node('Add', [x, b.node('MatMul', [masked, x])]);
    const model = await LanguageModel.open(
      completeFolder(asModel(b.graph(['input_ids'], [b.node('MatMul', [y, b.weight(8, 11)])])), { 'config.json': {} }),
    );
    expect(model.sites.map(({ hook }) => hook)).toEqual(['resid_pre', 'attn_out', 'resid_post']);
    expect(() => model.tensor({ layer: 0, hook: 'mlp_out' })).toThrow(UsageError);
    expect(() => model.tensor({ layer: 0, hook: 'mlp_out' })).toThrow('layer 0 has no mlp_out');
  });

  it('knows the shorter of two contexts: that of config.json, and that of the table of positions', async () => {
    expect([await contextWhere(16), await contextWhere(64)]).toEqual([16, 32]);
  });

  it('refuses a tokenizer with tokens that the model has no embedding for, special ones excepted', async () => {
    const { message } = await failure(completeFolder(tiny.model, vocabulary(20, true)));
    expect(message).toContain('tokenizer and model do not belong together: "w17" is token 19');
    expect(message).toContain('embeddings for 11 tokens only');
    expect((await failure(completeFolder(tiny.model, vocabulary(11, false)))).message).toContain(
      '"<image>" is token 11',
    );
    await LanguageModel.open(completeFolder(tiny.model, vocabulary(11, true)));
  });

  it('names an operator that ONNX Runtime does not know', async () => {
    const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const relabel = (opType: string, domain: string): void => {
      const node = model.graph!.node.find((node) => node.opType === 'Tanh' || node.opType === 'FancyTanh')!;
      Object.assign(node, { opType, domain });
    };
    relabel('FancyTanh', '');
    expect((await failure(completeFolder(model))).message).toContain('FancyTanh (in version 17 of the operator set)');
    relabel('FancyTanh', 'com.acme');
    model.opsetImport.push({ ...model.opsetImport[0], domain: 'com.acme', version: 1n });
    expect((await failure(completeFolder(model))).message).toContain('FancyTanh (of "com.acme")');
  });

  it('refuses numbers that the runtime cannot compute with', async () => {
    const b = new GraphBuilder();
    const cast = (x: string, to: number) => b.node('Cast', [x], [intAttribute('to', to)]);
    const x = cast(b.node('Gather', [b.weight(11, 8), 'input_ids']), BFLOAT16);
    const mixed = b.node('MatMul', [b.node('MatMul', [x, b.node('Transpose', [x], perm(0, 2, 1))]), x]);
    const out = cast(b.node('Add', [x, mixed]), 1);
    const model = asModel(b.graph(['input_ids'], [b.node('MatMul', [out, b.weight(8, 11)])]));
    const { message } = await failure(completeFolder(model, { 'config.json': {} }));
    expect(message).toMatch(/ONNX Runtime cannot compute \w+ on the CPU in the model's type of numbers/);
  });

  it.each([
    ['input_ids', 'encoder_hidden_states', 'half of an encoder-decoder model'],
    ['decoder_input_ids', 'encoder_attention_mask', 'half of an encoder-decoder model'],
    ['inputs_embeds', undefined, 'takes embeddings ("inputs_embeds") instead of tokens'],
    ['position_ids', undefined, 'no input takes tokens; the graph has "position_ids"'],
  ])('refuses a graph that reads %s and %s', async (name, other, message) => {
    const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const graph = model.graph!;
    const rename = (read: string): string => (read === 'input_ids' ? name : read);
    for (const node of graph.node) node.input = node.input.map(rename);
    graph.input[0].name = name;
    if (name === 'inputs_embeds') graph.input[0].type!.tensorType!.elemType = 1;
    if (other !== undefined) {
      graph.input.push({ ...graph.input[0], name: other });
      graph.node.push(create(NodeProtoSchema, { opType: 'Identity', input: [other], output: ['seen'] }));
    }
    expect((await failure(completeFolder(model))).message).toContain(message);
  });

  it('refuses a model made for batches of a fixed size', async () => {
    const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const [{ type }] = model.graph!.input;
    type!.tensorType!.shape!.dim[0].value = { case: 'dimValue', value: 2n };
    expect((await failure(completeFolder(model))).message).toContain('input "input_ids" is fixed to the shape [2, t]');
  });

  it.each(['by its declaration', 'by what it computes'])(
    'runs a model of one sequence, %s, one after the other',
    async (how) => {
      const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
      if (how === 'by its declaration') {
        for (const { type } of model.graph!.input) {
          type!.tensorType!.shape!.dim[0].value = { case: 'dimValue', value: 1n };
        }
      } else {
        // The mask is expanded to one sequence only, and then to another size of its own.
        const [one] = model.graph!.node.filter(({ opType }) => opType === 'Unsqueeze');
        const b = new GraphBuilder();
        b.ints(1, 1, -1);
        b.weights[0].name = 'one';
        model.graph!.initializer.push(...b.weights);
        const [output] = one.output;
        one.output = ['unsqueezed'];
        const reshape = create(NodeProtoSchema, { opType: 'Reshape', input: ['unsqueezed', 'one'], output: [output] });
        model.graph!.node.splice(model.graph!.node.indexOf(one) + 1, 0, reshape);
      }
      const [several, single] = [completeFolder(tiny.model), completeFolder(model)].map(async (folder) => {
        const opened = await LanguageModel.open(folder);
        const [prefix, suffix] = [await opened.prefix([post(0)]), await opened.suffix(0)];
        const [residual] = await prefix.run(batch);
        return [residual, await suffix.run(batch, residual)];
      });
      for (const [i, values] of (await several).entries()) {
        const got = (await single)[i];
        expect(got).toHaveLength(values.length);
        for (const k of [0, 7, 20, 31]) expect(got[k]).toBeCloseTo(values[k], 5);
      }
    },
  );

  it('says so if a trial fails, as it does in a graph for sequences of one length', async () => {
    const b = new GraphBuilder();
    const x = b.node('Reshape', [b.node('Gather', [b.weight(11, 8), 'input_ids']), b.ints(2, 5, 8)]);
    const y = b.node('Add', [x, b.node('MatMul', [b.node('MatMul', [x, b.node('Transpose', [x], perm(0, 2, 1))]), x])]);
    const model = asModel(b.graph(['input_ids'], [b.node('MatMul', [y, b.weight(8, 11)])]));
    const { message } = await failure(completeFolder(model, { 'config.json': {} }));
    expect(message).toMatch(/a trial of 4 sequences of 3 tokens failed: .*Reshape/);
  });

  it('refuses attention to later tokens', async () => {
    const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    // Without its causal mask.
    for (const node of model.graph!.node) if (node.opType === 'Trilu') node.attribute[0].i = 0n;
    expect((await failure(completeFolder(model))).message).toContain('not a causal language model');
  });

  it('refuses weights that do not fit, as ONNX Runtime finds', async () => {
    const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const [table] = model.graph!.initializer;
    table.rawData = table.rawData.subarray(0, 16);
    expect((await failure(completeFolder(model))).message).toContain('ONNX Runtime cannot load the model');
  });

  it('refuses a trunk that is no residual stream in shape', async () => {
    const b = new GraphBuilder();
    const stream = b.node('Transpose', [b.node('Gather', [b.weight(11, 8), 'input_ids'])], perm(1, 0, 2));
    const mixed = b.node('MatMul', [stream, b.node('Transpose', [stream], perm(0, 2, 1))]);
    const out = b.node('Add', [stream, b.node('MatMul', [mixed, stream])]);
    const model = asModel(b.graph(['input_ids'], [b.node('MatMul', [out, b.weight(8, 11)])]));
    const folder = completeFolder(model, { 'config.json': { vocab_size: 11 } });
    expect((await failure(folder)).message).toContain('has shape [3, 4, 8] for 4 sequences of 3 tokens');
  });

  it('reports tokens that the model does not have', async () => {
    const prefix = await (await LanguageModel.open(completeFolder(tiny.model))).prefix([post(0)]);
    const wrong = packTokens([Int32Array.of(99)], 0);
    await expect(prefix.run(wrong)).rejects.toThrow(InputError);
    await expect(prefix.run(wrong)).rejects.toThrow('cannot run on this input');
  });
});

/** Moves all weights of a model out of it; @returns the file "weights.bin" */
function moveOut({ graph }: ModelProto): Uint8Array {
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of graph!.initializer) {
    // ONNX Runtime wants constants that shapes depend on inside the file.
    if (tensor.rawData.length < 64) continue;
    const entries = { location: 'weights.bin', offset: `${offset}`, length: `${tensor.rawData.length}` };
    tensor.externalData = Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    );
    tensor.dataLocation = 1;
    parts.push(tensor.rawData);
    offset += tensor.rawData.length;
    tensor.rawData = new Uint8Array(0);
  }
  return Buffer.concat(parts);
}

/** Norm of `<s>` alone after each block, as PyTorch computed it from the same weights. */
const REAL = {
  stories3m: { d: 192, vocab: 4096, parameters: 3_148_224, norms: [1.454, 9.277, 9.446, 10.162, 9.954, 8.986] },
  stories260k: { d: 64, vocab: 512, parameters: 260_032, norms: [8.214, 10.361, 12.218, 16.026, 18.648] },
  'gpt-nano-sort': { d: 48, vocab: 3, parameters: 85_728, norms: [undefined, undefined, undefined] },
};

for (const [name, expected] of Object.entries(REAL)) {
  describeWithShared(`lm/${name}`, name, (folder) => {
    const sequences =
      name === 'gpt-nano-sort'
        ? [Int32Array.of(0, 2, 1, 0, 1, 2, 0, 0, 1), Int32Array.of(2, 2, 1)]
        : [Int32Array.from({ length: 40 }, (_, i) => (i === 0 ? 1 : 300 + i)), Int32Array.of(1, 310, 400)];

    it('composes to the whole model at every layer', async () => {
      const model = await LanguageModel.open(folder);
      const tokens = packTokens(sequences, model.tokenizer.padId);
      const { d, vocab, layers } = model.info;
      expect([d, vocab, model.parameters, layers]).toEqual([
        expected.d,
        expected.vocab,
        expected.parameters,
        expected.norms.length,
      ]);
      const session = await InferenceSession.create(join(folder, 'onnx/model.onnx'));
      const shape = [tokens.n, tokens.length];
      const whole = await session.run({
        input_ids: new Tensor('int64', tokens.ids, shape),
        attention_mask: new Tensor('int64', tokens.mask, shape),
      });
      const reference = whole.logits.data as Float32Array;
      for (const [layer, norm] of expected.norms.entries()) {
        const [prefix, suffix] = [await model.prefix([post(layer)]), await model.suffix(layer)];
        const [residual] = await prefix.run(tokens);
        const logits = await suffix.run(tokens, residual);
        expect(logits.length).toBe(reference.length);
        expect(logits.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i])), 0)).toBeLessThan(1e-4);
        if (norm !== undefined) expect(Math.hypot(...residual.subarray(0, d))).toBeCloseTo(norm, 3);
        await prefix.release();
        await suffix.release();
      }
    });

    it('has the hash of its file', async () => {
      const model = await LanguageModel.open(folder);
      const file = readFileSync(join(folder, 'onnx/model.onnx'));
      expect(await model.hash()).toBe(createHash('sha256').update(file).digest('hex'));
    });
  });
}

describeWithShared('lm/gpt-nano-sort', 'a text past the context', (folder) => {
  it('is reported', async () => {
    const prefix = await (await LanguageModel.open(folder)).prefix([post(0)]);
    await expect(prefix.run(packTokens([new Int32Array(12)], 0))).rejects.toThrow(/not longer|cannot run/);
  });
});
