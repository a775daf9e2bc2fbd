/**
 * Area under the ROC curve: the probability that a positive example scores higher than a negative one, ties counting half
 * (Mann–Whitney). 0.5 is chance whatever the share of positives.
 * @param labels 0 or 1
 * @returns NaN if a class has no example
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: labels.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let positives = 0;
  let ranks = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    let tied = 0;
    while (end < order.length && scores[order[end]] === scores[order[start]]) tied += labels[order[end++]];
    // Ranks start + 1 … end are shared.
    ranks += (tied * (start + 1 + end)) / 2;
    positives += tied;
    start = end;
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * (order.length - positives));
}
