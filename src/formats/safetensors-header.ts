/** The JSON header of a safetensors file, taken for hostile until every byte of the file is accounted for. */
import { z } from 'zod';
import { parseInput } from '../core/config.ts';
import { InputError } from '../core/errors.ts';

export const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  U16: 2,
  U32: 4,
  BOOL: 1,
} as const;
export type Dtype = keyof typeof DTYPE_BYTES;

export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Byte offsets in the file. */
  readonly begin: number;
  readonly end: number;
}

const size = z.number().int().min(0);
const tensorSchema = z.strictObject({
  dtype: z.enum(Object.keys(DTYPE_BYTES) as Dtype[]),
  shape: z.array(size),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string());

/**
 * @param dataBegin file offset of the first byte after the header
 * @throws InputError unless the tensors cover the data exactly, without overlap, hole or rest (the reference reader's
 *   rule; it also catches a name that occurs twice, of which JSON keeps only the last)
 */
export function parseHeader(
  bytes: Uint8Array,
  dataBegin: number,
  fileBytes: number,
  path: string,
): { tensors: Map<string, TensorInfo>; metadata: Map<string, string> } {
  const refuse = (message: string): InputError =>
    new InputError(`damaged safetensors file: ${message}`, { where: path, hint: 'download or write the file again' });
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw refuse(`the header is not JSON (${(error as Error).message})`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw refuse('the header is not an object');

  const metadata = new Map<string, string>();
  const entries: [string, TensorInfo][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      const parsed = parseInput(metadataSchema, value, `${path}, __metadata__`);
      for (const [key, text] of Object.entries(parsed)) metadata.set(key, text);
      continue;
    }
    const { dtype, shape, data_offsets } = parseInput(tensorSchema, value, `${path}, header of tensor "${name}"`);
    entries.push([name, { dtype, shape, begin: dataBegin + data_offsets[0], end: dataBegin + data_offsets[1] }]);
  }

  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = dataBegin;
  for (const [name, { dtype, shape, begin, end }] of entries) {
    const wanted = shape.reduce((product, length) => product * length, DTYPE_BYTES[dtype]);
    if (end < begin || end - begin !== wanted) {
      throw refuse(
        `tensor "${name}" ${dtype} [${shape.join(', ')}] takes ${wanted} bytes, its offsets give ${end - begin}`,
      );
    }
    if (end > fileBytes) throw refuse(`tensor "${name}" ends at byte ${end} of a file of ${fileBytes} bytes`);
    if (begin !== covered) {
      throw refuse(
        `tensor "${name}" begins at byte ${begin} where ${covered} was expected: tensors overlap or leave a hole`,
      );
    }
    covered = end;
  }
  if (covered !== fileBytes) throw refuse(`${fileBytes - covered} bytes after the last tensor`);
  return { tensors: new Map(entries), metadata };
}
