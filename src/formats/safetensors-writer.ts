/** Writing safetensors: the same tensors give the same bytes. */
import { writeFileAtomic } from '../core/files.ts';
import { DTYPE_BYTES, type Dtype } from './safetensors-header.ts';

export interface TensorData {
  dtype: Dtype;
  shape: readonly number[];
  /** Little-endian values of `dtype` in C order, whole or as consecutive parts. */
  data: ArrayBufferView | readonly ArrayBufferView[];
}

/**
 * Writes a file atomically, without a copy of the data in memory; tensors in the order of `tensors`.
 * @throws OutputError when it cannot be written; RangeError when shape and data disagree
 */
export function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorData>>,
  metadata?: Readonly<Record<string, string>>,
): void {
  writeFileAtomic(path, safetensorsParts(tensors, metadata));
}

/** The bytes of the file in order: header, then data. The header is padded so that data begin at a multiple of 8. */
export function safetensorsParts(
  tensors: Readonly<Record<string, TensorData>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  const header: string[] = [];
  const parts: Uint8Array[] = [];
  if (metadata) header.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let offset = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const wanted = shape.reduce((product, length) => product * length, DTYPE_BYTES[dtype]);
    const begin = offset;
    for (const part of ArrayBuffer.isView(data) ? [data] : data) {
      parts.push(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      offset += part.byteLength;
    }
    if (offset - begin !== wanted) {
      throw new RangeError(
        `tensor "${name}" ${dtype} [${shape.join(', ')}]: ${offset - begin} bytes, expected ${wanted}`,
      );
    }
    header.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, offset] })}`);
  }
  const text = Buffer.from(`{${header.join(',')}}`);
  const padded = Math.ceil(text.length / 8) * 8;
  const start = Buffer.alloc(8 + padded, ' ');
  start.writeBigUInt64LE(BigInt(padded), 0);
  text.copy(start, 8);
  return [start, ...parts];
}
