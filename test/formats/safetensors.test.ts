import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { DTYPE_BYTES, SafetensorsFile, writeSafetensors, type Dtype } from '../../src/formats/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
const path = join(folder, 'x.safetensors');
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with any header text over `dataBytes` bytes. */
function raw(header: string | Uint8Array, dataBytes = 0, claimed?: bigint): string {
  const text = Buffer.from(header);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(claimed ?? BigInt(text.length));
  writeFileSync(path, Buffer.concat([start, text, Buffer.alloc(dataBytes)]));
  return path;
}

const w = (shape: unknown, offsets: unknown, dtype: unknown = 'F32'): object => ({
  dtype,
  shape,
  data_offsets: offsets,
});
const header = (tensors: object): string => JSON.stringify(tensors);

describe('reading', () => {
  it('gives back what was written', () => {
    const values = Float32Array.of(1, -2.5, 3e38, 1e-45, 0, -0);
    writeSafetensors(
      path,
      {
        w: { dtype: 'F32', shape: [2, 3], data: values },
        n: { dtype: 'I32', shape: [3], data: [Int32Array.of(1), Int32Array.of(-2, 3)] },
        empty: { dtype: 'F32', shape: [0, 5], data: new Float32Array(0) },
        scalar: { dtype: 'F64', shape: [], data: Float64Array.of(7.5) },
        byte: { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
      },
      { format: 'pt', ü: '"\n' },
    );
    const file = SafetensorsFile.open(path);
    expect([...file.tensors.keys()]).toEqual(['w', 'n', 'empty', 'scalar', 'byte']);
    expect(file.readFloat32('w')).toEqual(values);
    expect(file.readInt32('n')).toEqual(Int32Array.of(1, -2, 3));
    expect(file.readFloat32('empty')).toHaveLength(0);
    expect(file.readFloat32('scalar')).toEqual(Float32Array.of(7.5));
    expect(file.readInt32('byte')).toEqual(Int32Array.of(1, 0, 1));
    expect([...file.metadata]).toEqual([
      ['format', 'pt'],
      ['ü', '"\n'],
    ]);
    file.close();
    file.close();
  });

  it('writes the same bytes for the same tensors, data aligned to 8', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string(), fc.constantFrom(...(Object.keys(DTYPE_BYTES) as Dtype[])), fc.nat(9)), {
          selector: ([name]) => name,
          maxLength: 6,
        }),
        (entries) => {
          const named = entries.filter(([name]) => name !== '__metadata__' && name !== '__proto__');
          const tensors = Object.fromEntries(
            named.map(([name, dtype, rows]) => [
              name,
              { dtype, shape: [rows, 2], data: new Uint8Array(rows * 2 * DTYPE_BYTES[dtype]).fill(rows + 1) },
            ]),
          );
          writeSafetensors(path, tensors);
          const first = readFileSync(path);
          writeSafetensors(path, tensors);
          expect(readFileSync(path).equals(first)).toBe(true);
          expect(Number(first.readBigUInt64LE()) % 8).toBe(0);
          const file = SafetensorsFile.open(path);
          for (const [name, { data }] of Object.entries(tensors)) expect(file.read(name)).toEqual(data);
          expect(file.tensors.size).toBe(named.length);
          file.close();
        },
      ),
      { numRuns: 50 },
    );
  });

  it('reads ranges, blocking or not, into a given buffer', async () => {
    writeSafetensors(path, {
      a: { dtype: 'U8', shape: [3], data: Uint8Array.of(9, 9, 9) },
      b: { dtype: 'U8', shape: [6], data: Uint8Array.of(0, 1, 2, 3, 4, 5) },
    });
    const file = SafetensorsFile.open(path);
    const into = new Uint8Array(10);
    expect([...file.readBytes('b', 2, 3)]).toEqual([2, 3, 4]);
    expect([...(await file.readBytesAsync('b', 1, 4, into))]).toEqual([1, 2, 3, 4]);
    expect([...into.subarray(0, 5)]).toEqual([1, 2, 3, 4, 0]);
    expect(() => file.readBytes('b', 4, 3)).toThrow(RangeError);
    expect(() => file.readBytes('b', -1, 1)).toThrow(RangeError);
    await expect(file.readBytesAsync('b', 0, 3, new Uint8Array(2))).rejects.toThrow(RangeError);
    file.close();
  });

  it('widens half precision and narrows integers', () => {
    writeSafetensors(path, {
      h: { dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
      b: { dtype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
      i: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 31n - 1n) },
      u: { dtype: 'U32', shape: [1], data: Uint32Array.of(2 ** 31) },
    });
    const file = SafetensorsFile.open(path);
    expect([...file.readFloat32('h')]).toEqual([1, -2]);
    expect([...file.readFloat32('b')]).toEqual([1, -2]);
    expect([...file.readInt32('i')]).toEqual([-1, 2 ** 31 - 1]);
    expect(() => file.readInt32('u')).toThrow(/2147483648 does not fit/);
    expect(() => file.readInt32('h')).toThrow(/expected integers/);
    expect(() => file.readFloat32('i')).toThrow(/expected floating-point/);
    expect(() => file.read('nope')).toThrow(/the file has h, b, i, u/);
    file.close();
  });

  it('takes names of object properties for what they are', () => {
    const text = `{"__proto__":${JSON.stringify(w([1], [0, 4]))},"constructor":${JSON.stringify(w([1], [4, 8]))}}`;
    const file = SafetensorsFile.open(raw(text, 8));
    expect([...file.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    expect(() => file.tensor('toString')).toThrow(InputError);
    file.close();
  });

  it('refuses a tensor whose shape and data disagree', () => {
    expect(() => writeSafetensors(path, { w: { dtype: 'F32', shape: [2], data: new Float32Array(3) } })).toThrow(
      RangeError,
    );
  });
});

describe('hostile files', () => {
  const cases: Record<string, () => string> = {
    empty: () => (writeFileSync(path, ''), path),
    'seven bytes': () => (writeFileSync(path, '1234567'), path),
    missing: () => join(folder, 'missing.safetensors'),
    'a folder': () => folder,
    'length beyond the file': () => raw('{}', 0, 2n ** 63n),
    'length just past the end': () => raw('{}', 0, 3n),
    'length above the limit': () => raw('{}', 0, 100_000_001n),
    'not UTF-8': () => raw(Uint8Array.of(0x7b, 0xff, 0x7d)),
    'not JSON': () => raw('{"w":'),
    'an array': () => raw('[1]'),
    null: () => raw('null'),
    'unknown dtype': () => raw(header({ w: w([2], [0, 8], 'F4') }), 8),
    'dtype of a prototype': () => raw(header({ w: w([2], [0, 8], 'toString') }), 8),
    'negative offsets': () => raw(header({ w: w([2], [-8, 0]) }), 8),
    'reversed offsets': () => raw(header({ w: w([2], [8, 0]) }), 8),
    'offsets past the end': () => raw(header({ w: w([4], [0, 16]) }), 8),
    'fractional shape': () => raw(header({ w: w([0.5, 4], [0, 8]) }), 8),
    'shape is not a list': () => raw(header({ w: w('2', [0, 8]) }), 8),
    'overflowing shape': () => raw(header({ w: w([2 ** 32, 2 ** 32], [0, 0]) })),
    'infinite times zero': () => raw(header({ w: w([...Array<number>(40).fill(2 ** 52), 0], [0, 0]) })),
    'shape and bytes': () => raw(header({ w: w([3], [0, 8]) }), 8),
    overlap: () => raw(header({ a: w([2], [0, 8]), b: w([2], [4, 12]) }), 12),
    hole: () => raw(header({ a: w([1], [0, 4]), b: w([1], [8, 12]) }), 12),
    'bytes after the end': () => raw(header({ a: w([1], [0, 4]) }), 5),
    'the same name twice': () =>
      raw(`{"a":${JSON.stringify(w([1], [0, 4]))},"a":${JSON.stringify(w([1], [4, 8]))}}`, 8),
    'metadata that are not text': () => raw(header({ __metadata__: { a: 1 } })),
    'unknown field': () => raw(header({ a: { ...w([1], [0, 4]), evil: 1 } }), 4),
    truncated: () => {
      writeSafetensors(path, { a: { dtype: 'F32', shape: [4], data: new Float32Array(4) } });
      truncateSync(path, statSync(path).size - 1);
      return path;
    },
  };
  it.each(Object.keys(cases))('%s: InputError with a place', (name) => {
    let error: unknown;
    try {
      SafetensorsFile.open(cases[name]());
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).where).toContain(folder);
  });

  it('a file that shrinks while it is open', async () => {
    writeSafetensors(path, { a: { dtype: 'U8', shape: [4096], data: new Uint8Array(4096) } });
    const file = SafetensorsFile.open(path);
    truncateSync(path, 1000);
    expect(() => file.read('a')).toThrow(InputError);
    await expect(file.readBytesAsync('a', 0, 4096)).rejects.toThrow(InputError);
    file.close();
  });

  it('random headers never crash the reader', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.nat(32), (text, dataBytes) => {
        try {
          SafetensorsFile.open(raw(text, dataBytes)).close();
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('a sparse file of 8 GB is read by ranges', () => {
    const bytes = 8 * 2 ** 30;
    raw(header({ big: w([bytes / 4], [0, bytes]) }));
    truncateSync(path, readFileSync(path).length + bytes);
    const file = SafetensorsFile.open(path);
    expect([...file.readBytes('big', bytes - 4, 4)]).toEqual([0, 0, 0, 0]);
    file.close();
    truncateSync(path, 0);
  });
});
