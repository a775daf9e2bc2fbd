/** Documents as the token sequences that a model reads, one document each or packed into full contexts. */

/** What a model reads at once: at most a context of tokens, the first of them BOS if the model has one. */
export interface Sequence {
  readonly tokens: Int32Array;
  /** [tokens], the document of each. */
  readonly docs: Int32Array;
}

/** A place in the stream of sequences: the next one begins behind the first `offset` tokens of `document`. */
export interface Place {
  readonly document: number;
  readonly offset: number;
}

/** A sequence, and where the one after it begins. */
export interface SequenceAt {
  readonly sequence: Sequence;
  readonly next: Place;
}

export interface Cut {
  /** Tokens of a sequence at most, BOS included; at least 2. */
  readonly context: number;
  /** Token that begins every sequence and every document, if the model has one. */
  readonly bos: number | undefined;
  /** Join documents until a context is full, instead of giving every document sequences of its own. */
  readonly pack: boolean;
}

/** Tokens of document 0, 1, …, without BOS. */
export interface TokenSource {
  /** Documents; Infinity if there is no end. */
  readonly count: number;
  tokens(document: number): Int32Array;
}

/** Sequences one after the other; they depend on the texts and the cut only, not on where the stream is entered. */
export function readSequences(source: TokenSource, cut: Cut, from: Place = START): Generator<SequenceAt> {
  return cut.pack ? packDocuments(source, cut, from) : cutDocuments(source, cut, from);
}

export const START: Place = { document: 0, offset: 0 };

/** Every document by itself, in parts of one context and a rest. */
function* cutDocuments(source: TokenSource, { context, bos }: Cut, from: Place): Generator<SequenceAt> {
  const room = bos === undefined ? context : context - 1;
  for (let { document, offset } = from; document < source.count; document++, offset = 0) {
    const ids = source.tokens(document);
    for (; offset < ids.length; offset += room) {
      const part = ids.subarray(offset, offset + room);
      const isLast = offset + room >= ids.length;
      yield {
        sequence: {
          tokens: bos === undefined ? part : withBos(bos, part),
          docs: new Int32Array(part.length + context - room).fill(document),
        },
        next: isLast ? { document: document + 1, offset: 0 } : { document, offset: offset + room },
      };
    }
  }
}

function withBos(bos: number, part: Int32Array): Int32Array {
  const tokens = new Int32Array(part.length + 1);
  tokens[0] = bos;
  tokens.set(part, 1);
  return tokens;
}

/**
 * Documents laid end to end, a BOS before each of them and at the beginning of every context (models put what they cannot
 * use elsewhere onto the first position, and expect BOS there). Every context is full but the last one.
 */
function* packDocuments(source: TokenSource, { context, bos }: Cut, from: Place): Generator<SequenceAt> {
  let packed = new Context(context);
  for (let { document, offset } = from; document < source.count; document++, offset = 0) {
    const ids = source.tokens(document);
    while (offset < ids.length) {
      if (bos !== undefined && (packed.size === 0 || offset === 0)) packed.add(Int32Array.of(bos), document);
      offset += packed.add(ids.subarray(offset), document);
      if (packed.size < context) continue;
      const next = offset < ids.length ? { document, offset } : { document: document + 1, offset: 0 };
      yield { sequence: packed.sequence(), next };
      packed = new Context(context);
    }
  }
  if (packed.size > 0) yield { sequence: packed.sequence(), next: { document: source.count, offset: 0 } };
}

/** A context that is being filled. */
class Context {
  readonly #tokens: Int32Array;
  readonly #docs: Int32Array;
  size = 0;

  constructor(length: number) {
    this.#tokens = new Int32Array(length);
    this.#docs = new Int32Array(length);
  }

  /** Takes as many tokens as there is room for. @returns their number */
  add(ids: Int32Array, document: number): number {
    const taken = ids.subarray(0, this.#tokens.length - this.size);
    this.#tokens.set(taken, this.size);
    this.#docs.fill(document, this.size, this.size + taken.length);
    this.size += taken.length;
    return taken.length;
  }

  sequence(): Sequence {
    return { tokens: this.#tokens.subarray(0, this.size), docs: this.#docs.subarray(0, this.size) };
  }
}
