import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { encodeOnnxModel, readOnnxModel } from '../../../src/lm/onnx/model-file.ts';
import { ModelProtoSchema, StringStringEntryProtoSchema, type ModelProto } from '../../../src/lm/onnx/onnx_pb.ts';
import { describeWithShared } from '../../support/shared.ts';
import { temporaryFolder } from '../folder.ts';
import { encode, tinyTransformer } from '../tiny.ts';

function written(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), 'model.onnx');
  writeFileSync(path, bytes);
  return path;
}

function withExternal(entries: Record<string, string>): ModelProto {
  const { model } = tinyTransformer({ layers: 1, wiring: 'sequential' });
  const [tensor] = model.graph!.initializer;
  tensor.dataLocation = 1;
  tensor.externalData = Object.entries(entries).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  return model;
}

describe('readOnnxModel', () => {
  const { model } = tinyTransformer({ layers: 1, wiring: 'sequential' });

  it('reads what was written', () => {
    const { proto, externalFiles } = readOnnxModel(written(encode(model)));
    expect(encodeOnnxModel(proto, '')).toEqual(encode(model));
    expect(externalFiles).toEqual([]);
  });

  it('keeps weights as views of the file', () => {
    const { graph } = readOnnxModel(written(encode(model)));
    expect(new Set(graph.initializer.map(({ rawData }) => rawData.buffer)).size).toBe(1);
  });

  it('keeps fields that it does not know', () => {
    // Field 25 of a model: functions.
    const extra = Uint8Array.of(0xca, 0x01, 3, 0x0a, 1, 0x66);
    const { proto } = readOnnxModel(written(Uint8Array.from([...encode(model), ...extra])));
    expect([...encodeOnnxModel(proto, '')].slice(-6)).toEqual([...extra]);
  });

  it.each([
    ['a missing file', undefined, 'no such file'],
    ['an empty file', new Uint8Array(0), 'no graph with nodes'],
    ['a model without a graph', encode(create(ModelProtoSchema, { irVersion: 8n })), 'no graph with nodes'],
    ['random bytes', Uint8Array.from({ length: 999 }, (_, i) => (i * 131 + 7) % 256), 'not a'],
    ['text', new TextEncoder().encode('<html>not found</html>'), 'not a'],
    ['a Git LFS pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\n'), 'Git LFS pointer'],
  ])('refuses %s', (_, bytes, message) => {
    const path = bytes ? written(bytes) : join(temporaryFolder(), 'model.onnx');
    expect(() => readOnnxModel(path)).toThrow(InputError);
    expect(() => readOnnxModel(path)).toThrow(message);
  });

  it('refuses a truncated file at every length', () => {
    const bytes = encode(model);
    const path = written(bytes);
    for (let length = 0; length < bytes.length - 1; length += 97) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(() => readOnnxModel(path)).toThrow(InputError);
    }
  });

  it.each([
    [{ location: 'weights.bin' }, 'is missing'],
    [{ location: '../weights.bin' }, "outside the model's folder"],
    [{ location: '/etc/hostname' }, "outside the model's folder"],
    [{}, "outside the model's folder"],
    [{ location: 'model.onnx', offset: '100', length: '99999999' }, 'truncated'],
  ])('refuses external data %j', (entries, message) => {
    const path = written(encode(withExternal(entries as Record<string, string>)));
    expect(() => readOnnxModel(path)).toThrow(InputError);
    expect(() => readOnnxModel(path)).toThrow(message);
  });
});

describeWithShared('lm/stories3m/onnx/model.onnx', 'a real model', (path) => {
  it('survives reading and writing byte for byte', () => {
    const { proto, graph } = readOnnxModel(path);
    expect(graph.node.length).toBe(1162);
    expect(readFileSync(path).equals(encodeOnnxModel(proto, path))).toBe(true);
  });
});
