/** The forest that a suite judges: the one that is given, the SAE's own, or one extracted from rows that it trained on. */
import { normalize } from '../activations/normalization.ts';
import { extractForest } from '../forest/extract.ts';
import { Firings } from '../forest/firings.ts';
import { Forest } from '../forest/forest.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import type { EvalContext } from './context.ts';
import { contributing, COVERAGE, rootMeanSquare, rowNorms } from './live-latents.ts';

/** Training rows from whose firings a forest is extracted. */
const EXTRACTION_ROWS = 50_000;
/** Rows of a batch of them: what a generated source yields depends on it, so it is not the context's. */
const BATCH_ROWS = 2048;

export interface JudgedForest {
  /** Over all latents of the SAE; roots may be latents without children. */
  readonly forest: Forest;
  /** For definitions: where it comes from. */
  readonly how: string;
  readonly own: boolean;
}

/**
 * A flat SAE gets the forest that its firings on training rows suggest: rows that are judged on must not decide what is judged.
 */
export async function forestOf(context: EvalContext): Promise<JudgedForest> {
  const { forest, sae } = context;
  if (forest) return { forest, how: 'the forest that was given', own: false };
  if (sae.forest) return { forest: sae.forest, how: "the SAE's own forest", own: true };
  const firings = await trainingFirings(context);
  return {
    forest: new Forest(extractForest(firings, COVERAGE).parent),
    how:
      `a forest extracted from ${firings.rows.toLocaleString('en')} training rows ` +
      `(${COVERAGE.method}, P(parent | child) ≥ ${COVERAGE.threshold})`,
    own: false,
  };
}

/** What fires on the first batches of the training stream; entries that add next to nothing are left out (live-latents.ts). */
export async function trainingFirings({ device, sae, source, normalization }: EvalContext): Promise<Firings> {
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const norms = rowNorms(await reconstructor.readDictionary(), sae.d);
    const firings = new Firings(sae.width);
    const rows = Math.min(BATCH_ROWS, source.trainRows);
    const batches = rows === 0 ? 0 : Math.floor(Math.min(EXTRACTION_ROWS, source.trainRows) / rows);
    const x = new Float32Array(rows * sae.d);
    let scale = 0;
    for (let i = 0; i < batches; i++) {
      await source.batch(i, x);
      normalize(normalization, x, sae.d);
      if (i === 0) scale = rootMeanSquare(x, sae.d);
      firings.add(contributing((await reconstructor.run(x, [])).codes, norms, scale));
    }
    return firings;
  } finally {
    reconstructor.release();
  }
}
