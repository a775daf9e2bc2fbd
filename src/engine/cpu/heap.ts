/**
 * Address space of the shared memory. Persistent tensors come from a first-fit free list; scratch comes from an arena of
 * chunks that returns to the list after every step, so the steady state allocates nothing, whatever the sizes of a step.
 */
import { SaeforestError } from '../../core/errors.ts';

const PAGE = 65536;
const ALIGN = 64;
const ARENA_CHUNK = 16 * 2 ** 20;
/** wasm32 addresses 4 GiB. */
const LIMIT = 2 ** 32 - PAGE;

interface Span {
  offset: number;
  bytes: number;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  #end: number;
  readonly #free: Span[] = [];
  /** Chunks of the step's arena; scratch comes from the last one. */
  readonly #chunks: Span[] = [];
  /** Bytes taken of the last chunk. */
  #used = 0;

  /** @param start first address that is not reserved for control and programs */
  constructor(memory: WebAssembly.Memory, start: number) {
    this.memory = memory;
    this.#end = align(start);
  }

  /** Takes `bytes` until {@link free}. @throws SaeforestError when the address space is exhausted */
  take(bytes: number): number {
    const size = align(Math.max(bytes, 1));
    const fit = this.#free.findIndex((span) => span.bytes >= size);
    if (fit >= 0) {
      const span = this.#free[fit];
      const { offset } = span;
      span.offset += size;
      span.bytes -= size;
      if (span.bytes === 0) this.#free.splice(fit, 1);
      return offset;
    }
    const last = this.#free.at(-1);
    const growing = last !== undefined && last.offset + last.bytes === this.#end;
    const offset = growing ? last.offset : this.#end;
    if (offset + size > LIMIT) {
      throw new SaeforestError(
        `out of device memory: ${Math.round((offset + size) / 2 ** 20)} MiB needed, the CPU device addresses 4096 MiB`,
        {
          hint: 'a smaller width or batch',
        },
      );
    }
    if (growing) this.#free.pop();
    this.#end = offset + size;
    const missing = Math.ceil((this.#end - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.memory.grow(missing);
    return offset;
  }

  free(offset: number, bytes: number): void {
    const span = { offset, bytes: align(Math.max(bytes, 1)) };
    const at = this.#free.findIndex((other) => other.offset > offset);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, span);
    for (let i = this.#free.length - 1; i > 0; i--) {
      const [left, right] = [this.#free[i - 1], this.#free[i]];
      if (left.offset + left.bytes !== right.offset) continue;
      left.bytes += right.bytes;
      this.#free.splice(i, 1);
    }
  }

  /** Takes `bytes` until {@link resetArena}. */
  scratch(bytes: number): number {
    const size = align(Math.max(bytes, 1));
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || this.#used + size > chunk.bytes) {
      const bytes = Math.max(size, ARENA_CHUNK);
      chunk = { offset: this.take(bytes), bytes };
      this.#chunks.push(chunk);
      this.#used = 0;
    }
    this.#used += size;
    return chunk.offset + this.#used - size;
  }

  resetArena(): void {
    for (const { offset, bytes } of this.#chunks) this.free(offset, bytes);
    this.#chunks.length = 0;
  }

  /** Bytes of address space in use, arena included. */
  get bytes(): number {
    return this.#end - this.#free.reduce((sum, span) => sum + span.bytes, 0);
  }
}

const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;
