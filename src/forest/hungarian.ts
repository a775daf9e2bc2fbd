/** Optimal assignment. */

/**
 * Assigns rows to columns, each at most once, with the smallest total cost: the Hungarian method with shortest augmenting
 * paths and dual potentials (Jonker and Volgenant 1987), O(min² · max) at worst and near-linear in the matrix when most rows
 * have a clear favourite. All of the smaller side is assigned. Ties are broken towards lower indices, deterministically.
 *
 * @param cost `[rows, columns]`, row-major, finite
 * @returns column of each row, −1 for rows left over when rows > columns
 */
export function assign(cost: Float64Array | Float32Array, rows: number, columns: number): Int32Array {
  if (cost.length !== rows * columns) {
    throw new RangeError(`assignment: expected ${rows} × ${columns} costs, got ${cost.length}`);
  }
  if (rows <= columns) return invert(ownersOfColumns(cost, rows, columns), rows);
  const transposed = new Float64Array(cost.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) transposed[c * rows + r] = cost[r * columns + c];
  return ownersOfColumns(transposed, columns, rows);
}

/** Row that owns each column, −1 for none; rows ≤ columns. */
function ownersOfColumns(cost: Float64Array | Float32Array, rows: number, columns: number): Int32Array {
  const owner = new Int32Array(columns).fill(-1);
  const rowPotential = new Float64Array(rows);
  const columnPotential = new Float64Array(columns);
  /** Length of the shortest path found to each column, and the column before it (−1: the path starts here). */
  const distance = new Float64Array(columns);
  const before = new Int32Array(columns);
  const settled = new Uint8Array(columns);
  const settledOrder = new Int32Array(columns);

  for (let start = 0; start < rows; start++) {
    distance.fill(Infinity);
    settled.fill(0);
    let settledCount = 0;
    let row = start;
    let from = -1;
    let reached = 0;
    for (;;) {
      let nearest = -1;
      for (let c = 0; c < columns; c++) {
        if (settled[c]) continue;
        const through = reached + (cost[row * columns + c] - rowPotential[row] - columnPotential[c]);
        if (through < distance[c]) {
          distance[c] = through;
          before[c] = from;
        }
        if (nearest === -1 || distance[c] < distance[nearest]) nearest = c;
      }
      reached = distance[nearest];
      from = nearest;
      if (owner[nearest] === -1) break;
      settled[nearest] = 1;
      settledOrder[settledCount++] = nearest;
      row = owner[nearest];
    }
    rowPotential[start] += reached;
    for (let i = 0; i < settledCount; i++) {
      const slack = reached - distance[settledOrder[i]];
      columnPotential[settledOrder[i]] -= slack;
      rowPotential[owner[settledOrder[i]]] += slack;
    }
    // Shift ownership along the path that ends at the free column.
    for (let c = from; c !== -1; c = before[c]) owner[c] = before[c] === -1 ? start : owner[before[c]];
  }
  return owner;
}

function invert(owner: Int32Array, rows: number): Int32Array {
  const assigned = new Int32Array(rows).fill(-1);
  owner.forEach((row, column) => {
    if (row !== -1) assigned[row] = column;
  });
  return assigned;
}
