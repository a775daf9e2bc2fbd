/** Two buffers for a sequence of stretches of data: one is drawn from while the next is filled in the background. */

interface Slot<Buffer, Content> {
  index: number;
  readonly buffer: Buffer;
  ready: Promise<Content>;
}

export class DoubleBuffer<Buffer, Content> {
  readonly #allocate: () => Buffer;
  readonly #fill: (index: number, buffer: Buffer) => Promise<Content>;
  readonly #end: number;
  #current: Slot<Buffer, Content> | undefined;
  #other: Slot<Buffer, Content> | undefined;

  /**
   * @param fill writes stretch `index` into a buffer; never called for two at once that share one
   * @param end stretches from this one on are filled only when they are asked for
   */
  constructor(allocate: () => Buffer, fill: (index: number, buffer: Buffer) => Promise<Content>, end = Infinity) {
    this.#allocate = allocate;
    this.#fill = fill;
    this.#end = end;
  }

  /**
   * A stretch; starts to fill the one after it. Valid until the next call, which must not come before this one has
   * returned.
   */
  async get(index: number): Promise<Content> {
    if (this.#current?.index !== index) {
      // Keep the stretch that was filled in advance; if that is not the wanted one, its buffer is as good as the other.
      [this.#current, this.#other] = [this.#other, this.#current];
      if (this.#current?.index !== index) this.#current = await this.#load(this.#current, index);
    }
    const current = this.#current;
    try {
      const content = await current.ready;
      const next = index + 1;
      if (next < this.#end && this.#other?.index !== next) this.#other = await this.#load(this.#other, next);
      return content;
    } catch (error) {
      // Forget the failed one, so that another call fills it again.
      current.index = -1;
      throw error;
    }
  }

  /** Waits for what is being filled. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#current?.ready, this.#other?.ready]);
  }

  /** Starts to fill the buffer of `old`, once it is not being filled any more. */
  async #load(old: Slot<Buffer, Content> | undefined, index: number): Promise<Slot<Buffer, Content>> {
    await old?.ready.catch(() => undefined);
    const buffer = old?.buffer ?? this.#allocate();
    const ready = this.#fill(index, buffer);
    // A failure is reported by the call that asks for this stretch, if one ever does.
    ready.catch(() => undefined);
    return { index, buffer, ready };
  }
}
