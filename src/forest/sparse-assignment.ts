/** Optimal one-to-one assignment where few pairs come into question. */

/** A weighted pair of a row and a column. */
export interface WeightedPair {
  readonly row: number;
  readonly column: number;
  /** In (0, 1]. */
  readonly weight: number;
}

/**
 * Assigns rows to columns, each at most once, with the largest total weight; rows may stay alone. Shortest augmenting paths with dual
 * potentials as in hungarian.ts, over the pairs that there are: near-linear when most rows have a clear favourite.
 * @returns column of each row, −1 for none
 */
export function assignSparse(pairs: readonly WeightedPair[], rows: number, columns: number): Int32Array {
  const partners = byRow(pairs, rows);
  const columnOf = new Int32Array(rows).fill(-1);
  const owner = new Int32Array(columns).fill(-1);
  const rowPotential = new Float64Array(rows);
  const columnPotential = new Float64Array(columns);
  /** Length of the shortest path found to each column, and the row before it. */
  const distance = new Float64Array(columns).fill(Infinity);
  const before = new Int32Array(columns);

  for (let start = 0; start < rows; start++) {
    const reachedColumns: number[] = [];
    const settled: number[] = [];
    const open = new Set<number>();
    let row = start;
    let reached = 0;
    /** The cheapest way to leave some row of the tree alone, which costs 1 as a weight of 0 would. */
    let alone = { length: Infinity, row: start };
    let end = -1;
    for (;;) {
      const toAlone = reached + 1 - rowPotential[row];
      if (toAlone < alone.length) alone = { length: toAlone, row };
      for (const { column, weight } of partners[row]) {
        const through = reached + (1 - weight - rowPotential[row] - columnPotential[column]);
        // Settled columns are never reached on a shorter path.
        if (through >= distance[column]) continue;
        if (distance[column] === Infinity) reachedColumns.push(column);
        distance[column] = through;
        before[column] = row;
        open.add(column);
      }
      let nearest = -1;
      for (const column of open) if (nearest === -1 || distance[column] < distance[nearest]) nearest = column;
      if (nearest === -1 || distance[nearest] >= alone.length) {
        reached = alone.length;
        break;
      }
      reached = distance[nearest];
      if (owner[nearest] === -1) {
        end = nearest;
        break;
      }
      open.delete(nearest);
      settled.push(nearest);
      row = owner[nearest];
    }
    rowPotential[start] += reached;
    for (const column of settled) {
      const slack = reached - distance[column];
      columnPotential[column] -= slack;
      rowPotential[owner[column]] += slack;
    }
    // Shift ownership along the path that ends at the free column, or at the row that stays alone and gives its column up.
    let freed = end;
    if (end === -1) {
      freed = columnOf[alone.row];
      columnOf[alone.row] = -1;
    }
    while (freed !== -1) {
      const taker = before[freed];
      owner[freed] = taker;
      [freed, columnOf[taker]] = [columnOf[taker], freed];
    }
    for (const column of reachedColumns) distance[column] = Infinity;
  }
  return columnOf;
}

function byRow(pairs: readonly WeightedPair[], rows: number): WeightedPair[][] {
  const partners: WeightedPair[][] = Array.from({ length: rows }, () => []);
  for (const pair of pairs) partners[pair.row].push(pair);
  // Whatever the order in which pairs were counted.
  for (const list of partners) list.sort((a, b) => a.column - b.column);
  return partners;
}
