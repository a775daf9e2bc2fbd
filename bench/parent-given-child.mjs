/** How often a latent's parent is active when the latent is. */

/** Children that fired less often than this on the held-out rows are left out: their share would be noise. */
const MIN_FIRINGS = 10;

export const DEFINITION =
  'mean over the pairs (child, parent) of the forest of #rows with both active / #rows with the child active, held-out rows, ' +
  `inference codes; pairs whose child is active in fewer than ${MIN_FIRINGS} rows are left out`;

/**
 * @param batches codes of the held-out rows, CSR on the host
 * @returns {Promise<{ value: number, pairs: number } | null>} null for flat models and if no child fired often enough
 */
export async function parentGivenChild(forest, batches) {
  if (forest === undefined) return null;
  const [child, both] = [new Float64Array(forest.size), new Float64Array(forest.size)];
  for await (const { rows, rowPtr, index, value } of batches) {
    for (let r = 0; r < rows; r++) {
      const active = new Set();
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) if (value[e] !== 0) active.add(index[e]);
      for (const latent of active) {
        const parent = forest.parent[latent];
        if (parent === -1) continue;
        child[latent]++;
        if (active.has(parent)) both[latent]++;
      }
    }
  }
  const pairs = [...child.keys()].filter((latent) => child[latent] >= MIN_FIRINGS);
  if (pairs.length === 0) return null;
  return {
    value: pairs.reduce((sum, latent) => sum + both[latent] / child[latent], 0) / pairs.length,
    pairs: pairs.length,
  };
}
