/**
 * Held-out rows of a live training. Their tokens stay in memory, and so do the activations that every validation asks
 * for; those past a bound are computed anew whenever they are wanted.
 */
import type { RowOrigins } from '../../activations/source.ts';
import { countKept, storeOrigins } from '../rows.ts';
import { readSequences, type Cut, type Sequence } from '../sequences.ts';
import type { Split } from './split.ts';

/** Sequences that run through the model together, always the same ones: the last bits depend on it. */
export interface HeldOutGroup {
  readonly sequences: readonly (Sequence & { readonly firstRow: number })[];
  readonly firstRow: number;
  readonly rows: number;
}

/** Rows at most, as for folders. */
const MAX_ROWS = 100_000;

const GROUP_TOKENS = 8192;

/** Of the activations that are kept, per site. */
const KEPT_BYTES = 32 * 2 ** 20;

export class HeldOutTexts {
  readonly rows: number;
  readonly #groups: readonly HeldOutGroup[];
  readonly #dropped: number | undefined;
  readonly #run: (group: HeldOutGroup) => Promise<Float32Array[]>;
  readonly #keptRows: number;
  readonly #kept = new Map<HeldOutGroup, Float32Array[]>();
  #last: { readonly group: HeldOutGroup; readonly acts: Float32Array[] } | undefined;

  /** @param run gives the rows of a group at every site, [rows, d] each */
  constructor(
    { heldOut, heldOutFrom }: Split,
    cut: Cut,
    dropped: number | undefined,
    d: number,
    run: (group: HeldOutGroup) => Promise<Float32Array[]>,
  ) {
    const groups: HeldOutGroup[] = [];
    let rows = 0;
    let sequences: (Sequence & { firstRow: number })[] = [];
    let [tokens, firstRow] = [0, 0];
    const close = (): void => {
      if (rows > firstRow) groups.push({ sequences, firstRow, rows: rows - firstRow });
      sequences = [];
      [tokens, firstRow] = [0, rows];
    };
    for (const { sequence } of readSequences(heldOut, cut, heldOutFrom)) {
      sequences.push({ ...sequence, firstRow: rows });
      rows += countKept(sequence.tokens, dropped);
      tokens += sequence.tokens.length;
      if (tokens >= GROUP_TOKENS) close();
      if (rows >= MAX_ROWS) break;
    }
    close();
    this.rows = rows;
    this.#groups = groups;
    this.#dropped = dropped;
    this.#run = run;
    this.#keptRows = Math.floor(KEPT_BYTES / (4 * d));
  }

  /**
   * Rows [start, start + count) of one site into `out` [count, d].
   * @returns the rows filled: fewer than asked for at the end
   */
  async read(site: number, start: number, out: Float32Array, d: number, origins?: RowOrigins): Promise<number> {
    const end = Math.max(start, Math.min(this.rows, start + out.length / d));
    for (const group of this.#groups) {
      const from = Math.max(start, group.firstRow);
      const to = Math.min(end, group.firstRow + group.rows);
      if (from >= to) continue;
      const acts = (await this.#activations(group))[site];
      out.set(acts.subarray((from - group.firstRow) * d, (to - group.firstRow) * d), (from - start) * d);
      if (origins)
        copyOrigins(originsOf(group, this.#dropped), from - group.firstRow, to - from, origins, from - start);
    }
    return end - start;
  }

  async #activations(group: HeldOutGroup): Promise<Float32Array[]> {
    const known = this.#kept.get(group) ?? (this.#last?.group === group ? this.#last.acts : undefined);
    if (known) return known;
    const acts = await this.#run(group);
    if (group.firstRow + group.rows <= this.#keptRows) this.#kept.set(group, acts);
    else this.#last = { group, acts };
    return acts;
  }
}

function originsOf({ sequences, firstRow, rows }: HeldOutGroup, dropped: number | undefined): RowOrigins {
  const origins = { tokens: new Int32Array(rows), pos: new Int32Array(rows), doc: new Int32Array(rows) };
  for (const sequence of sequences) storeOrigins(origins, sequence.firstRow - firstRow, sequence, dropped);
  return origins;
}

function copyOrigins(from: RowOrigins, row: number, rows: number, into: RowOrigins, at: number): void {
  for (const column of ['tokens', 'pos', 'doc'] as const) into[column].set(from[column].subarray(row, row + rows), at);
}
