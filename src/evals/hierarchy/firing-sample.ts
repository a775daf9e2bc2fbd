/** What an SAE does on the held-out rows, as the suite `hierarchy` reads it. */
import { sliceRows, type Codes } from '../../core/codes.ts';
import { Firings } from '../../forest/firings.ts';
import { Reconstructor } from '../../sae/reconstructor.ts';
import type { EvalContext } from '../context.ts';
import { HeldOutRows } from '../held-out-rows.ts';
import { isNegligible, rootMeanSquare, rowNorms } from '../live-latents.ts';
import type { RowUnits, Units } from '../units.ts';

/** Firings kept at most, 12 bytes each: half a million rows at an L0 of 32. */
export const MAX_FIRINGS = 2 ** 24;
/** Rows at most, however little fires in them. */
const MAX_ROWS = 2 ** 21;
/** Units that the bootstrap draws; the counts of every pair are kept for each. */
const MAX_UNITS = 200;
/** Rows that tell the scale of the inputs; no batch size may change it. */
const SCALE_ROWS = 1024;

/** With the unit of each row. */
export interface SampleUnits extends Units {
  readonly of: Int32Array;
}

export interface FiringSample {
  readonly held: HeldOutRows;
  /** Activations above 0, as the papers count them. */
  readonly active: Firings;
  /** Of each of them, whether it adds a vector of at least a tenth of the inputs' norm (live-latents.ts). */
  readonly isContributing: (entry: number) => boolean;
  /** Over the rows of the firings, at most 200. */
  readonly units: SampleUnits;
  /** Whether the sample ended before the rows did: then its units are not those of other SAEs. */
  readonly isCut: boolean;
  /** `[F, d]` decoder rows. */
  readonly dictionary: Float32Array;
}

/** @param most firings at most; @param mostRows rows at most */
export async function sampleHeldOut(
  context: EvalContext,
  most = MAX_FIRINGS,
  mostRows = MAX_ROWS,
): Promise<FiringSample> {
  const { device, sae, source, normalization, onProgress } = context;
  const held = await HeldOutRows.open(source, normalization, context);
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const dictionary = await reconstructor.readDictionary();
    const scale = await scaleOf(held);
    const active = new Firings(sae.width, most);
    let isCut = false;
    for await (const { start, rows, normalized } of held.batches()) {
      const codes = positive((await reconstructor.run(normalized, [])).codes);
      const fitting = Math.min(rowsThatFit(codes, most - active.count), mostRows - active.rows);
      active.add(sliceRows(codes, 0, fitting));
      onProgress('held-out rows', start + rows, held.rows);
      if (fitting < rows) {
        isCut = true;
        break;
      }
    }
    const norms = rowNorms(dictionary, sae.d);
    const { latent, strength } = active;
    const isContributing = (entry: number): boolean => !isNegligible(strength[entry], norms[latent[entry]], scale);
    return { held, active, isContributing, units: coarser(held.units, active.rows), isCut, dictionary };
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
function coarser(of: RowUnits, rows: number): SampleUnits {
  const units = rows === 0 ? 0 : of.of(rows - 1) + 1;
  if (units <= MAX_UNITS && units === of.count) return { of: of.first(rows), count: units, label: of.label };
  const each = Math.ceil(units / MAX_UNITS);
  const groups = Math.ceil(units / each);
  return {
    of: of.first(rows).map((unit) => Math.floor(unit / each)),
    count: groups,
    label: `${groups} groups of ${each} neighbouring units of the first ${rows.toLocaleString('en')} held-out rows, from ${of.label}`,
  };
}
