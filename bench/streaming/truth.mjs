/**
 * For the suites that need a truth: activations of a known hierarchy of some 4 000 features, drawn row by row, and an SAE that is told
 * what is on and says it with mistakes, because a real encoder of this width would take hours and is not what is measured.
 */
import { SynthBench } from '../../dist/activations/synth-bench/synth-bench.js';
import { Forest } from '../../dist/forest/forest.js';
import { noise, unit } from './noise.mjs';

const [BRANCHING, DEPTH] = [4, 2];
/** Features of one tree. */
const TREE = 1 + BRANCHING + BRANCHING ** DEPTH;
/** A fourth of the latents could be enough; the others are further latents for the same features. */
const LATENTS_PER_FEATURE = 4;
/** Share of its rows in which the first latent of a feature lets another one speak, and in which a parent is silent beside its child. */
const [SPLIT, ABSORBED] = [0.2, 0.1];
/** Latents that are on by mistake: as many pairs with features as there can be are met sooner or later. */
const MISTAKES = 8;
/** Entries of a row at most. */
const PER_ROW = 48;

export async function knownTruth({ device, tokens, width, d }) {
  const roots = Math.max(1, Math.floor(width / LATENTS_PER_FEATURE / TREE));
  const source = await SynthBench.open(0, {
    features: roots * TREE,
    d,
    roots,
    branching: BRANCHING,
    depth: DEPTH,
    // Some 12 features are on.
    maxProbability: 0.1,
    minProbability: 0.01,
    correlationRank: 0,
    orthogonalizeSteps: 0,
    heldOutRows: tokens,
  });
  const told = { start: 0, truth: undefined };
  const sample = source.heldOutSample.bind(source);
  source.heldOutSample = (start, out) => {
    told.start = start;
    return (told.truth = sample(start, out));
  };
  return { sae: toldSae(device, source, width, told), source };
}

/** @param told the rows that were read last: those that are encoded next */
function toldSae(device, { truth, features, directions, d }, width, told) {
  const dictionary = device.persistent('f32', width, d);
  const copies = Math.floor(width / features);
  const blur = 0.3 / Math.sqrt(d);
  device.write(
    dictionary,
    Float32Array.from({ length: width * d }, (_, at) => directions[at % directions.length] + blur * noise(at)),
  );
  return {
    architecture: 'synthetic',
    d,
    width,
    views: [{ name: 'full', from: 0, to: width }],
    outputBias: null,
    /** A latent's parent is the first latent of its feature's parent. */
    forest: new Forest(Int32Array.from({ length: width }, (_, latent) => truth.parent[latent % features])),
    encode(_tape, x) {
      const rows = x.shape[0];
      const codes = device.scratchCodes(rows, width, PER_ROW);
      const index = new Uint32Array(rows * PER_ROW);
      const value = new Float32Array(rows * PER_ROW);
      const { rowPtr, index: feature, value: strength } = told.truth;
      if (rowPtr.length !== rows + 1) throw new Error('rows are encoded that were not read last');
      for (let r = 0; r < rows; r++) {
        const dice = (told.start + r) * PER_ROW;
        const [from, to] = [r * PER_ROW, r * PER_ROW + PER_ROW];
        let at = from;
        for (let e = rowPtr[r]; e < rowPtr[r + 1] && at < to - MISTAKES; e++) {
          const luck = unit(dice + at - from);
          if (luck < ABSORBED && truth.children(feature[e]).length > 0) continue;
          const copy = luck > 1 - SPLIT ? Math.floor(((1 - luck) / SPLIT) * copies) : 0;
          index[at] = copy * features + feature[e];
          value[at++] = strength[e];
        }
        for (const end = at + MISTAKES; at < end; at++) {
          // Two features never have the same place: what is on by mistake is on but once.
          index[at] = Math.floor(((at % MISTAKES) + unit(dice + 0.5 + at - from)) * (width / MISTAKES));
          value[at] = index.subarray(from, at).includes(index[at]) ? 0 : 4;
        }
      }
      device.write(codes.index, index);
      device.write(codes.value, value);
      return codes;
    },
    dictionary: () => dictionary,
  };
}
