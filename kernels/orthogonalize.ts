/**
 * Makes many directions nearly orthogonal by Adam on Σ_{i≠j} (g_i·g_j)² + N Σ_i (‖g_i‖² − 1)², the way SAELens does. All pairs are
 * never formed: the gradient by g_i is 4 (M g_i + ((N − 1)‖g_i‖² − N) g_i) with the d × d matrix M = Σ_j g_j g_jᵀ.
 *
 * Matrices lie in panels of 8 columns, [columns / 8][rows][8], so that both products stream. Rows are a multiple of 4, columns of 8; the
 * filling is zero and stays zero. Every sum has one order, whoever computes it.
 */

const PANEL: usize = 32;
/** Rows of a block whose two panels stay in the nearest cache. */
const GRAM_ROWS = 256;
/** Rows that pass by a panel of M while it is in the nearest cache. */
const STEP_ROWS = 32;

/** The 8 × 8 tiles (i, j ≥ i) of M [d, d] for i = first, first + stride …, and their mirror images. G [rows, d] */
export function gram(G: usize, M: usize, rows: i32, d: i32, first: i32, stride: i32): void {
  const panels = d >> 3;
  const panelBytes = <usize>rows * PANEL;
  for (let i = first; i < panels; i += stride)
    for (let j = i; j < panels; j++) memory.fill(M + (<usize>j * <usize>d + <usize>(8 * i)) * PANEL, 0, 8 * PANEL);
  for (let from = 0; from < rows; from += GRAM_ROWS) {
    const count = min(GRAM_ROWS, rows - from);
    const at = G + <usize>from * PANEL;
    for (let i = first; i < panels; i += stride) {
      const a = at + <usize>i * panelBytes;
      for (let j = i; j < panels; j++) {
        const b = at + <usize>j * panelBytes;
        const out = M + (<usize>j * <usize>d + <usize>(8 * i)) * PANEL;
        gramTile(a, b, out, count);
        gramTile(a + 16, b, out + 4 * PANEL, count);
      }
    }
  }
  for (let i = first; i < panels; i += stride) {
    for (let j = i + 1; j < panels; j++) {
      for (let p = 0; p < 8; p++) {
        for (let q = 0; q < 8; q++) {
          const value = load<f32>(M + (<usize>j * <usize>d + <usize>(8 * i + p)) * PANEL + (<usize>q << 2));
          store<f32>(M + (<usize>i * <usize>d + <usize>(8 * j + q)) * PANEL + (<usize>p << 2), value);
        }
      }
    }
  }
}

/** out [4, 8] += Σ_r a[r][0 … 3]ᵀ b[r] over `count` rows, which lie one panel row apart. */
function gramTile(a: usize, b: usize, out: usize, count: i32): void {
  let s00 = v128.load(out), s01 = v128.load(out, 16);
  let s10 = v128.load(out, 32), s11 = v128.load(out, 48);
  let s20 = v128.load(out, 64), s21 = v128.load(out, 80);
  let s30 = v128.load(out, 96), s31 = v128.load(out, 112);
  for (const end = a + <usize>count * PANEL; a < end; a += PANEL, b += PANEL) {
    const y0 = v128.load(b), y1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a), x1 = v128.load32_splat(a, 4);
    s00 = f32x4.add(s00, f32x4.mul(x0, y0));
    s01 = f32x4.add(s01, f32x4.mul(x0, y1));
    s10 = f32x4.add(s10, f32x4.mul(x1, y0));
    s11 = f32x4.add(s11, f32x4.mul(x1, y1));
    const x2 = v128.load32_splat(a, 8), x3 = v128.load32_splat(a, 12);
    s20 = f32x4.add(s20, f32x4.mul(x2, y0));
    s21 = f32x4.add(s21, f32x4.mul(x2, y1));
    s30 = f32x4.add(s30, f32x4.mul(x3, y0));
    s31 = f32x4.add(s31, f32x4.mul(x3, y1));
  }
  v128.store(out, s00);
  v128.store(out, s01, 16);
  v128.store(out, s10, 32);
  v128.store(out, s11, 48);
  v128.store(out, s20, 64);
  v128.store(out, s21, 80);
  v128.store(out, s30, 96);
  v128.store(out, s31, 112);
}

/**
 * A step of Adam (PyTorch's) for the blocks of rows first, first + stride … of G [rows, d]; m, v as G; scratch [STEP_ROWS, d].
 * @param n N; @param rate lr / (1 − β1^t); @param bias √(1 − β2^t)
 */
export function step(
  G: usize, m: usize, v: usize, M: usize, scratch: usize,
  rows: i32, d: i32, first: i32, stride: i32, n: f64, beta1: f32, beta2: f32, epsilon: f32, rate: f32, bias: f32,
): void {
  const panels = d >> 3;
  const panelBytes = <usize>rows * PANEL;
  for (let from = first * STEP_ROWS; from < rows; from += stride * STEP_ROWS) {
    const count = min(STEP_ROWS, rows - from);
    const at = G + <usize>from * PANEL;
    for (let j = 0; j < panels; j++)
      for (let r = 0; r < count; r += 4)
        stepTile(at + <usize>r * PANEL, panelBytes, M + <usize>j * <usize>d * PANEL, scratch + (<usize>j * STEP_ROWS + <usize>r) * PANEL, panels);
    for (let r = 0; r < count; r++) {
      let square: f64 = 0;
      for (let j = 0; j < panels; j++) {
        const row = at + <usize>j * panelBytes + <usize>r * PANEL;
        for (let q: usize = 0; q < PANEL; q += 4) {
          const value = <f64>load<f32>(row + q);
          square += value * value;
        }
      }
      const own = f32x4.splat(<f32>((n - 1) * square - n));
      for (let j = 0; j < panels; j++) {
        const offset = <usize>j * panelBytes + <usize>(from + r) * PANEL;
        const product = scratch + (<usize>j * STEP_ROWS + <usize>r) * PANEL;
        for (let q: usize = 0; q < PANEL; q += 16) {
          const g = v128.load(G + offset + q);
          const gradient = f32x4.mul(f32x4.splat(4), f32x4.add(v128.load(product + q), f32x4.mul(own, g)));
          const first = blend(beta1, v128.load(m + offset + q), gradient);
          const second = blend(beta2, v128.load(v + offset + q), f32x4.mul(gradient, gradient));
          v128.store(m + offset + q, first);
          v128.store(v + offset + q, second);
          const root = f32x4.add(f32x4.div(f32x4.sqrt(second), f32x4.splat(bias)), f32x4.splat(epsilon));
          v128.store(G + offset + q, f32x4.sub(g, f32x4.mul(f32x4.splat(rate), f32x4.div(first, root))));
        }
      }
    }
  }
}

/** β old + (1 − β) fresh */
// @ts-ignore: decorator
@inline
function blend(beta: f32, old: v128, fresh: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.splat(beta), old), f32x4.mul(f32x4.splat(1 - beta), fresh));
}

/** out [4, 8] = G [4, d] · a panel of M [d, 8]. */
function stepTile(g: usize, panelBytes: usize, panel: usize, out: usize, panels: i32): void {
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00;
  let s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  for (let p = 0; p < panels; p++, g += panelBytes) {
    let a = g;
    for (const end = panel + 8 * PANEL; panel < end; panel += PANEL, a += 4) {
      const y0 = v128.load(panel), y1 = v128.load(panel, 16);
      const x0 = v128.load32_splat(a), x1 = v128.load32_splat(a, 32);
      s00 = f32x4.add(s00, f32x4.mul(x0, y0));
      s01 = f32x4.add(s01, f32x4.mul(x0, y1));
      s10 = f32x4.add(s10, f32x4.mul(x1, y0));
      s11 = f32x4.add(s11, f32x4.mul(x1, y1));
      const x2 = v128.load32_splat(a, 64), x3 = v128.load32_splat(a, 96);
      s20 = f32x4.add(s20, f32x4.mul(x2, y0));
      s21 = f32x4.add(s21, f32x4.mul(x2, y1));
      s30 = f32x4.add(s30, f32x4.mul(x3, y0));
      s31 = f32x4.add(s31, f32x4.mul(x3, y1));
    }
  }
  v128.store(out, s00);
  v128.store(out, s01, 16);
  v128.store(out, s10, 32);
  v128.store(out, s11, 48);
  v128.store(out, s20, 64);
  v128.store(out, s21, 80);
  v128.store(out, s30, 96);
  v128.store(out, s31, 112);
}
