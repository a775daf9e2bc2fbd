/** What an SAE does on the held-out rows, as the suite `hierarchy` reads it. */
import { sliceRows, type Codes } from '../../core/codes.ts';
import { Firings } from '../../forest/firings.ts';
import { Reconstructor } from '../../sae/reconstructor.ts';
import type { EvalContext } from '../context.ts';
import { HeldOutRows } from '../held-out-rows.ts';
import { contributing, rootMeanSquare, rowNorms } from '../live-latents.ts';
import type { Units } from '../units.ts';

/** Firings kept at most, 16 bytes each: half a million rows at an L0 of 32. */
export const MAX_FIRINGS = 2 ** 24;
/** Units that the bootstrap draws; the counts of every pair are kept for each. */
const MAX_UNITS = 200;
/** Rows that tell the scale of the inputs; no batch size may change it. */
const SCALE_ROWS = 1024;

export interface FiringSample {
  readonly held: HeldOutRows;
  /** Activations above 0, as the papers count them. */
  readonly active: Firings;
  /** Those that add a vector of at least a tenth of the inputs' norm (live-latents.ts). */
  readonly contributing: Firings;
  /** Over the rows of the firings, at most 200. */
  readonly units: Units;
  /** Whether the sample ended before the rows did: then its units are not those of other SAEs. */
  readonly isCut: boolean;
  /** `[F, d]` decoder rows. */
  readonly dictionary: Float32Array;
}

/** @param most firings at most */
export async function sampleHeldOut(context: EvalContext, most = MAX_FIRINGS): Promise<FiringSample> {
  const { device, sae, source, normalization, onProgress } = context;
  const held = await HeldOutRows.open(source, normalization, context);
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const dictionary = await reconstructor.readDictionary();
    const norms = rowNorms(dictionary, sae.d);
    const scale = await scaleOf(held);
    const active = new Firings(sae.width, most);
    const added = new Firings(sae.width, most);
    let isCut = false;
    for await (const { start, rows, normalized } of held.batches()) {
      const codes = positive((await reconstructor.run(normalized, [])).codes);
      const fitting = rowsThatFit(codes, most - active.count);
      const kept = sliceRows(codes, 0, fitting);
      active.add(kept);
      added.add(contributing(kept, norms, scale));
      onProgress('held-out rows', start + rows, held.rows);
      if (fitting < rows) {
        isCut = true;
        break;
      }
    }
    return { held, active, contributing: added, units: coarser(held.units, active.rows), isCut, dictionary };
  } finally {
    reconstructor.release();
  }
}

/** Activations that are not above 0 become 0. */
function positive(codes: Codes): Codes {
  return { ...codes, value: codes.value.map((v) => Math.max(v, 0)) };
}

/** Whole rows whose entries are at most `room`. */
function rowsThatFit({ rows, rowPtr }: Codes, room: number): number {
  let fitting = rows;
  while (fitting > 0 && rowPtr[fitting] - rowPtr[0] > room) fitting--;
  return fitting;
}

/** √(mean ‖x‖²) of the first rows in the SAE's input space. */
async function scaleOf(held: HeldOutRows): Promise<number> {
  const rows = new Float32Array(Math.min(SCALE_ROWS, held.rows) * held.d);
  for await (const { start, normalized } of held.batches()) {
    const at = start * held.d;
    if (at >= rows.length) break;
    rows.set(normalized.subarray(0, Math.min(normalized.length, rows.length - at)), at);
  }
  return rootMeanSquare(rows, held.d);
}

/** The units of the first rows, neighbours joined until there are few. */
function coarser({ of, count, label }: Units, rows: number): Units {
  const used = of.subarray(0, rows);
  const units = rows === 0 ? 0 : used[rows - 1] + 1;
  if (units <= MAX_UNITS && units === count) return { of: used, count, label };
  const each = Math.ceil(units / MAX_UNITS);
  const groups = Math.ceil(units / each);
  return {
    of: used.map((unit) => Math.floor(unit / each)),
    count: groups,
    label: `${groups} groups of ${each} neighbouring units of the first ${rows.toLocaleString('en')} held-out rows, from ${label}`,
  };
}
