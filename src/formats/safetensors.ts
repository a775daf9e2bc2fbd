/**
 * Safetensors files: `u64` header length, JSON header, data. The reader takes ranges of a tensor, so that a file larger
 * than memory can be used; the writer streams, so that nothing is copied to be written.
 */
import { closeSync, fstatSync, openSync, read as readCallback, readSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { InputError, hasErrorCode } from '../core/errors.ts';
import { MAX_IO_BYTES } from '../core/files.ts';
import { decodeFloats } from '../core/floats.ts';
import { parseHeader, type Dtype, type TensorInfo } from './safetensors-header.ts';

export { DTYPE_BYTES, type Dtype, type TensorInfo } from './safetensors-header.ts';
export { safetensorsParts, writeSafetensors, type TensorData } from './safetensors-writer.ts';

/** The reference reader's bound. */
const MAX_HEADER_BYTES = 100_000_000;

const readAt = promisify(readCallback);

export class SafetensorsFile {
  readonly path: string;
  /** By name, in the order of their data; `begin` and `end` are byte offsets in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Size and modification time when the file was opened. */
  readonly stamp: { readonly size: number; readonly mtimeMs: number };
  #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    const { size, mtimeMs } = fstatSync(fd);
    this.stamp = { size, mtimeMs };
    if (size < 8) throw new InputError(`not a safetensors file: ${size} bytes`, { where: path });
    const headerBytes = Number(new DataView(this.#bytes(0, 8).buffer).getBigUint64(0, true));
    if (headerBytes > Math.min(size - 8, MAX_HEADER_BYTES)) {
      throw new InputError(
        `not a safetensors file, or cut off: its header claims ${headerBytes} bytes, the file has ${size}`,
        { where: path, hint: 'download or write the file again' },
      );
    }
    const header = parseHeader(this.#bytes(8, headerBytes), 8 + headerBytes, size, path);
    this.tensors = header.tensors;
    this.metadata = header.metadata;
  }

  /** Reads and checks the header. @throws InputError for a file that is missing, damaged or hostile */
  static open(path: string): SafetensorsFile {
    let fd: number;
    try {
      // Opening a named pipe would wait for a writer.
      if (!statSync(path).isFile()) throw new InputError('not a file', { where: path });
      fd = openSync(path, 'r');
    } catch (error) {
      if (error instanceof InputError) throw error;
      const reason = hasErrorCode(error, 'ENOENT') ? 'no such file' : (error as Error).message;
      throw new InputError(`cannot read tensors: ${reason}`, { where: path, hint: 'check the path', cause: error });
    }
    try {
      return new SafetensorsFile(path, fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** @throws InputError naming the tensors that exist */
  tensor(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info) return info;
    const names = [...this.tensors.keys()];
    const list = names.length > 12 ? [...names.slice(0, 12), `… (${names.length} in all)`] : names;
    throw new InputError(`no tensor "${name}"; the file has ${list.join(', ') || 'none'}`, { where: this.path });
  }

  /** All bytes of a tensor, little-endian. */
  read(name: string): Uint8Array<ArrayBuffer> {
    const { begin, end } = this.tensor(name);
    return this.#bytes(begin, end - begin);
  }

  /** A floating-point tensor as float32; F64 is rounded. @throws InputError for other dtypes */
  readFloat32(name: string): Float32Array<ArrayBuffer> {
    const { dtype } = this.tensor(name);
    const bytes = this.read(name);
    if (dtype === 'F64') return Float32Array.from(new Float64Array(bytes.buffer));
    if (dtype === 'F32') return new Float32Array(bytes.buffer);
    if (dtype !== 'F16' && dtype !== 'BF16') throw this.#wrongKind(name, dtype, 'floating-point numbers');
    const out = new Float32Array(bytes.length / 2);
    decodeFloats(dtype, bytes, 0, out.length, out);
    return out;
  }

  /** An unsigned 32-bit tensor. @throws InputError for other dtypes */
  readUint32(name: string): Uint32Array<ArrayBuffer> {
    const { dtype } = this.tensor(name);
    if (dtype !== 'U32') throw this.#wrongKind(name, dtype, 'U32');
    return new Uint32Array(this.read(name).buffer);
  }

  /** An integer or boolean tensor as int32. @throws InputError for other dtypes and for values that do not fit */
  readInt32(name: string): Int32Array<ArrayBuffer> {
    const { dtype } = this.tensor(name);
    const { buffer } = this.read(name);
    switch (dtype) {
      case 'I32':
        return new Int32Array(buffer);
      case 'I16':
        return Int32Array.from(new Int16Array(buffer));
      case 'U16':
        return Int32Array.from(new Uint16Array(buffer));
      case 'I8':
        return Int32Array.from(new Int8Array(buffer));
      case 'U8':
      case 'BOOL':
        return Int32Array.from(new Uint8Array(buffer));
      case 'U32':
      case 'I64': {
        const wide = dtype === 'U32' ? new Uint32Array(buffer) : new BigInt64Array(buffer);
        const out = new Int32Array(wide.length);
        for (let i = 0; i < wide.length; i++) {
          out[i] = Number(wide[i]);
          if (out[i] !== Number(wide[i])) {
            throw new InputError(`tensor "${name}": ${wide[i]} does not fit into 32 bits`, { where: this.path });
          }
        }
        return out;
      }
      default:
        throw this.#wrongKind(name, dtype, 'integers');
    }
  }

  /**
   * Bytes [byteOffset, byteOffset + byteLength) of a tensor.
   * @param into at least `byteLength` bytes; a new array without it
   * @returns the `byteLength` bytes
   */
  readBytes(
    name: string,
    byteOffset: number,
    byteLength: number,
    into: Uint8Array = this.#allocate(byteLength),
  ): Uint8Array {
    this.#fill(into, byteLength, this.#position(name, byteOffset, byteLength, into));
    return into.subarray(0, byteLength);
  }

  /** {@link readBytes} without blocking. The file must stay open until the promise settles. */
  async readBytesAsync(
    name: string,
    byteOffset: number,
    byteLength: number,
    into: Uint8Array = this.#allocate(byteLength),
  ): Promise<Uint8Array> {
    const position = this.#position(name, byteOffset, byteLength, into);
    for (let done = 0; done < byteLength;) {
      const length = Math.min(byteLength - done, MAX_IO_BYTES);
      done += this.#checked((await readAt(this.#fd, into, done, length, position + done)).bytesRead);
    }
    return into.subarray(0, byteLength);
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #bytes(position: number, byteLength: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#allocate(byteLength);
    this.#fill(bytes, byteLength, position);
    return bytes;
  }

  #fill(into: Uint8Array, byteLength: number, position: number): void {
    for (let done = 0; done < byteLength;) {
      const length = Math.min(byteLength - done, MAX_IO_BYTES);
      done += this.#checked(readSync(this.#fd, into, done, length, position + done));
    }
  }

  #allocate(byteLength: number): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(byteLength);
    } catch (error) {
      throw new InputError(`${byteLength} bytes do not fit into memory at once`, { where: this.path, cause: error });
    }
  }

  /** Position in the file; a range outside of the tensor is a mistake of the caller. */
  #position(name: string, byteOffset: number, byteLength: number, into: Uint8Array): number {
    const { begin, end } = this.tensor(name);
    if (!(byteOffset >= 0 && byteLength >= 0 && begin + byteOffset + byteLength <= end && into.length >= byteLength)) {
      throw new RangeError(`bytes ${byteOffset} + ${byteLength} of tensor "${name}" with ${end - begin} bytes`);
    }
    return begin + byteOffset;
  }

  #checked(bytesRead: number): number {
    if (bytesRead > 0) return bytesRead;
    throw new InputError('the file became shorter while it was read', { where: this.path });
  }

  #wrongKind(name: string, dtype: Dtype, wanted: string): InputError {
    return new InputError(`tensor "${name}" has dtype ${dtype}, expected ${wanted}`, { where: this.path });
  }
}
