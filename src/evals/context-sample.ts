/** Which latents are shown to a reader, and their contexts. */
import { InputError } from '../core/errors.ts';
import { Random } from '../core/random.ts';
import type { Codes } from '../core/codes.ts';
import type { Tokenizer } from '../lm/tokenizer.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import type { EvalContext } from './context.ts';
import { ContextCollector, FiringBlocks, type ContextCounts, type LatentContexts } from './contexts.ts';
import { HeldOutRows, KeptOrigins } from './held-out-rows.ts';
import { contributing, rowNorms } from './live-latents.ts';

/** Latents that fire in fewer blocks of text are not shown: there would be nothing to score a label on. */
export const MIN_BLOCKS = 30;
/** Classes of equal size, by frequency, from which latents are drawn in equal numbers. */
const STRATA = 10;

export interface LatentSample {
  /** Contexts of every latent that was asked for, by its number. */
  readonly contexts: ReadonlyMap<number, LatentContexts>;
  /** Latents with at least MIN_BLOCKS blocks. */
  readonly eligible: number;
  readonly rows: number;
}

/**
 * @param choose the latents that are wanted, given those that fire often enough, the rarest first
 * @throws InputError for activations that come from no text, or where no latent fires often enough
 */
export async function sampleContexts(
  context: EvalContext,
  counts: ContextCounts,
  choose: (eligible: readonly number[]) => readonly number[],
): Promise<LatentSample> {
  const { device, sae, source, normalization, seed, onProgress } = context;
  const kept = new KeptOrigins();
  const held = await HeldOutRows.open(source, normalization, context, kept.add);
  if (!held.hasOrigins) {
    throw new InputError('these activations come from no text: there is nothing to read', {
      hint: 'take a run that was trained on activations of a language model',
    });
  }
  const origins = kept.take();
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const norms = rowNorms(await reconstructor.readDictionary(), sae.d);
    const scale = await inputScale(held);
    const pass = async (what: string, add: (start: number, codes: Codes) => void): Promise<void> => {
      for await (const { start, rows, normalized } of held.batches()) {
        add(start, contributing((await reconstructor.run(normalized, [])).codes, norms, scale));
        onProgress(what, start + rows, held.rows);
      }
    };
    const firing = new FiringBlocks(sae.width, origins);
    await pass('rows looked through', (start, codes) => firing.add(start, codes));
    const eligible = Array.from(firing.blocks.keys())
      .filter((latent) => firing.blocks[latent] >= MIN_BLOCKS)
      .sort((a, b) => firing.fired[a] - firing.fired[b] || a - b);
    if (eligible.length === 0) {
      throw new InputError(
        `no latent fires in ${MIN_BLOCKS} different places of the ${held.rows.toLocaleString('en')} held-out rows`,
        { hint: 'take more rows with --rows, or a longer training' },
      );
    }
    const collector = new ContextCollector(choose(eligible), origins, counts, seed);
    await pass('rows read for contexts', (start, codes) => collector.add(start, codes));
    const found = collector.finish().map((latent) => [latent.latent, latent] as const);
    return { contexts: new Map(found), eligible: eligible.length, rows: held.rows };
  } finally {
    reconstructor.release();
  }
}

/** What makes the held-out tokens readable. @throws InputError without the language model that the activations come from */
export function tokenizerOf({ model }: Pick<EvalContext, 'model'>): Tokenizer {
  if (typeof model === 'string') throw new InputError(`the text of the activations cannot be read: ${model}`);
  return model.model.tokenizer;
}

/** Root mean square norm of the inputs. */
async function inputScale(held: HeldOutRows): Promise<number> {
  let squares = 0;
  for await (const { normalized } of held.batches()) for (const value of normalized) squares += value * value;
  return Math.sqrt(squares / held.rows);
}

/**
 * Latents of every frequency: the eligible ones are cut into ten classes of equal size, and as many are drawn from each.
 * @param eligible in the order of their frequency
 * @returns in ascending order; all where there are no more than asked for
 */
export function stratifiedLatents(eligible: readonly number[], wanted: number, seed: number): number[] {
  if (eligible.length <= wanted) return [...eligible].sort((a, b) => a - b);
  const random = new Random(seed, 'labels', 'latents');
  const strata = Math.min(STRATA, wanted);
  const edge = (total: number, s: number): number => Math.floor((total * s) / strata);
  const drawn = Array.from({ length: strata }, (_, s) => {
    const members = eligible.slice(edge(eligible.length, s), edge(eligible.length, s + 1));
    return shuffled(members, random).slice(0, edge(wanted, s + 1) - edge(wanted, s));
  }).flat();
  // Where nearly all are wanted, a class may hold one less than its share.
  const others = eligible.filter((latent) => !drawn.includes(latent));
  return [...drawn, ...shuffled(others, random).slice(0, wanted - drawn.length)].sort((a, b) => a - b);
}

export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
