import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { findModelFiles } from '../../src/lm/model-files.ts';
import { modelFolder } from './folder.ts';

/** A folder with some empty ONNX files. */
function folderOf(...files: string[]): string {
  return modelFolder({ 'config.json': {}, ...Object.fromEntries(files.map((name) => [name, ''])) });
}

describe('findModelFiles', () => {
  it.each([
    [['onnx/model.onnx', 'model.onnx'], 'onnx/model.onnx'],
    [['model.onnx', 'onnx/model_fp16.onnx'], 'model.onnx'],
    [['onnx/model_q4.onnx', 'onnx/model_quantized.onnx', 'onnx/model_fp16.onnx'], 'onnx/model_fp16.onnx'],
    [['decoder_with_past_model.onnx', 'decoder_model_merged.onnx', 'decoder_model.onnx'], 'decoder_model.onnx'],
    [['onnx/decoder_model_merged.onnx', 'onnx/decoder_with_past_model.onnx'], 'onnx/decoder_model_merged.onnx'],
    [['onnx/phi-int4-cpu.onnx'], 'onnx/phi-int4-cpu.onnx'],
  ])('takes of %j the most exact: %s', (files, chosen) => {
    const folder = folderOf(...files);
    expect(findModelFiles(folder)).toEqual({ folder, model: join(folder, chosen) });
  });

  it('takes the file that is named, with what lies beside it or above it', () => {
    const folder = folderOf('onnx/model.onnx', 'onnx/model_q4.onnx', 'other.onnx');
    for (const name of ['onnx/model_q4.onnx', 'other.onnx']) {
      expect(findModelFiles(join(folder, name))).toEqual({ folder, model: join(folder, name) });
    }
    const alone = modelFolder({ 'a/b.onnx': '' });
    expect(findModelFiles(join(alone, 'a/b.onnx')).folder).toBe(join(alone, 'a'));
  });

  it.each([
    ['a folder that is not there', '/nowhere', 'the model folder does not exist'],
    ['a file that is not there', '/nowhere/model.onnx', 'the model file does not exist'],
    ['a folder without a model', folderOf, 'no such file'],
    [
      'files without a usual name',
      () => folderOf('a.onnx', 'onnx/b.onnx'),
      '2 ONNX files, none under a usual name: onnx/b.onnx, a.onnx',
    ],
    ['a file that is no model', () => join(folderOf(), 'config.json'), 'a model is a folder or an .onnx file'],
  ])('refuses %s', (_, path, message) => {
    const find = () => findModelFiles(typeof path === 'string' ? path : path());
    expect(find).toThrow(InputError);
    expect(find).toThrow(message);
  });

  it('says how to name one of several files', () => {
    const folder = folderOf('a.onnx', 'onnx/b.onnx');
    try {
      findModelFiles(folder);
      expect.unreachable();
    } catch (error) {
      expect((error as InputError).hint).toContain(join(folder, 'onnx/b.onnx'));
    }
  });
});
