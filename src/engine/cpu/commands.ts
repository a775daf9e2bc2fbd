/**
 * The language between the queue and the workers: a program is a list of commands [kernel, argument count, arguments…] in
 * shared memory, run in order with a barrier after each.
 */

/**
 * Arguments of every kernel of `kernels/shared.ts`: p address (0 = none), i integer, f float32, d float64 (8-byte aligned).
 * The order of the keys is the number of the kernel.
 */
export const KERNELS = {
  decode: 'pppppp iiii ii',
  gatheredDots: 'pi ppppp iii ii',
  countLatents: 'ppp ii',
  prefixSum: 'p i',
  placeEntries: 'pppppp ii',
  latentGradient: 'pi ppppp ii ii',
  decodeGradients: 'pi pi ppppppp ii ii',
  dotsByLatent: 'pppppp iii',
  latentSum: 'pi ppp i',
  absoluteRowSums: 'ppp i',
  absoluteGradient: 'pi pp i f',
  scatterAdd: 'ppp i',
  topOfCodes: 'pppppp ii pi',
  smallestPositive: 'ppp i',
  countSinceFired: 'pppp i ff',
  listAtLeast: 'ppp i f',
  expertsForward: 'pppppppppp iii ff',
  expertsBackward: 'ppp i ppppppppp iii fff',
  joinExperts: 'pppppp iiii',
  topChildren: 'ppppppppppppppppp i iiiiiiiii fff',
  keepAtLeast: 'ppppp f',
  appendCodes: 'ppppppp ii',
  baseGradients: 'pi pi pppppppp ii',
  composedEntries: 'ppppppp ii',
  route: 'ppppp ii',
  routeGradient: 'ppppp ii',
  scaleEntries: 'pi ppp i',
  entryDots: 'pi ppp i',
  pursue: 'ppppppppp iiii f i',
  pursuitGradients: 'ppppppppp iiii',
  normalizeCodes: 'pppppp ii',
  normalizeCodesGradient: 'pi ppppp ii',
  subtractRow: 'ppp ii',
  scale: 'pi p i f',
  clear: 'p i',
  place: 'p i p i',
  squaredDifference: 'pppp ii',
  sum: 'pp i d',
  innerProduct: 'ppp i',
  maximum: 'pp i',
  divide: 'ppp',
  clampedRatio: 'ppp ddd',
  rootOfSum: 'pppp dddd',
  scaleBy: 'pi p i p d',
  columnSum: 'pi pp ii f',
  rowDots: 'ppp iii',
  scaleRows: 'pi pp iii f',
  standardizeRows: 'pppp ii f',
  restoreRows: 'pppp ii',
  rowMoments: 'ppp ii',
  varianceOfMoments: 'ppp ii f',
  batchLeast: 'pppp ii',
  countBatchTop: 'pppp i',
  placeBatchTop: 'ppppppp i',
  leastPositive: 'pp i',
  setSize: 'pp',
  projectRows: 'ppp ii fi',
  normalizeRows: 'p ii f',
  normalizeRowsGradient: 'pi pp ii f',
  adam: 'pppp ii ffffffffff i f',
  gateMagnitudes: 'ppppppp i',
  gateGradients: 'pi pi pi pi ppppppp i',
  rowNorms: 'pp ii',
  normWeightedSums: 'ppppp ii f',
  normWeightedGradient: 'pi ppppp ii ff',
  liftBias: 'ppp i f',
  jump: 'pppppppp i',
  windowSum: 'pi ppppp i ff',
  windowCount: 'pi ppppp iiii ff',
  countActive: 'pppp iii',
  squaredExcess: 'ppp d',
  thresholdGap: 'ppppp i',
  spreadLatents: 'pppp i',
  exponential: 'pp i',
  rectify: 'pp i',
  multiply: 'pi pp i',
  scaleWhere: 'pi pp i f',
  ghostError: 'pppp ii',
  familyResiduals: 'ppppppppp iiiiii pi',
  coActivate: 'ppppppp iii f',
  familyGradient: 'ppppppp iiiii f pi',
} as const;

export type KernelName = keyof typeof KERNELS;

export const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];

/** Commands that a worker carries out itself, with its private memory and the dense product (dense-worker.ts). */
export const DENSE = {
  /** x, W, bias, indexOut, valueOut, rows, width, d, k, list, listed, cursor, floor, biasStride (0 = one row for all, else width) */
  encodeTop: { number: 100, signature: 'pppppiiiipppfi' },
  /** x, W, bias, rowCounts, rows, width, d, cursor, floor, biasStride: counts the entries, which stay with the worker … */
  scanAtLeast: { number: 101, signature: 'ppppiiipfi' },
  /** indexOut, valueOut, rowPtr: … until their places are known. */
  placeAtLeast: { number: 102, signature: 'ppp' },
  /** x, W, bias, bins, rows, width, d, cursor, floor: adds the number of scores ≥ floor in every bin (see {@link BINS}) */
  scoreHistogram: { number: 105, signature: 'ppppiiipf' },
  /** x, W, bias, rows, width, d, cursor: scores that nobody keeps, the floor under every encoder (for benchmarks) */
  score: { number: 104, signature: 'pppiiip' },
  /** out, a, b, m, n, depth, kind, cursor */
  product: { number: 103, signature: 'pppiiiip' },
} as const;

export const PRODUCT_KINDS = ['nt', 'nn', 'tn'] as const;

/** Bins of positive scores: a bin holds those with the same upper half of their bits, so that bins ascend with the scores. */
export const BINS = { count: 1 << 15, shift: 16 } as const;

/**
 * Rows and latents that a worker scores at a time: a tile of scores stays in a core's cache, and is large enough for the product to
 * pay for rearranging its part of W. Part of the result's definition: the dense product sees tiles of this size.
 */
export const TILE = { rows: 256, latents: 768 } as const;

/** Words of the control block (Int32) at the start of shared memory. */
export const CONTROL = {
  /** Number of the program that may run. */
  generation: 0,
  /** Number of the last finished program. */
  finished: 1,
  /** Workers that have reached the current barrier. */
  arrived: 2,
  /** Barriers passed. */
  phase: 3,
  /** Set when a worker failed: the others skip the rest of the program. */
  failed: 4,
  /** Set to make the workers leave. */
  stop: 5,
  words: 16,
} as const;

/** Byte address of the program and its largest length. */
export const PROGRAM = { offset: 1024, bytes: 1 << 20 } as const;
