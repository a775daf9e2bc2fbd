/**
 * Geometric median of points [n, d] by Weiszfeld's iteration: start at the mean, stop when the step is shorter than
 * `tolerance`. Unlike the published code it does not divide by zero when a point equals the iterate: that point is left
 * out of the step (its distance is 0, any weight would pin the iterate to it).
 */
export function geometricMedian(points: Float32Array, d: number, maxIterations = 100, tolerance = 1e-5): Float64Array {
  const n = points.length / d;
  let here = new Float64Array(d);
  for (let i = 0; i < points.length; i++) here[i % d] += points[i] / n;
  let next = new Float64Array(d);
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    next.fill(0);
    let total = 0;
    for (let p = 0; p < n; p++) {
      let square = 0;
      for (let i = 0; i < d; i++) square += (points[p * d + i] - here[i]) ** 2;
      if (square === 0) continue;
      const weight = 1 / Math.sqrt(square);
      total += weight;
      for (let i = 0; i < d; i++) next[i] += weight * points[p * d + i];
    }
    if (total === 0) return here;
    let moved = 0;
    for (let i = 0; i < d; i++) {
      next[i] /= total;
      moved += (next[i] - here[i]) ** 2;
    }
    [here, next] = [next, here];
    if (Math.sqrt(moved) < tolerance) break;
  }
  return here;
}
