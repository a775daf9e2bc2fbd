/** For the suites that need no truth: documents of noise, and an SAE whose codes are those of a tree whatever it reads. */
import { Forest } from '../../dist/forest/forest.js';
import { noise, unit } from './noise.mjs';

/** Tokens of a document. */
const DOCUMENT = 100;
/** Latents that are active, half of them roots. */
const ACTIVE = 32;

export function treeOfCodes({ device, tokens, width, d }) {
  return { sae: treeSae(device, width, d), source: documents(tokens, d) };
}

/** Two levels: a sixteenth of the latents are roots, all others their children; a child fires with its parent. */
function treeSae(device, width, d) {
  const roots = Math.max(1, Math.floor(width / 16));
  const families = Math.min(ACTIVE / 2, roots);
  const generations = Math.floor(width / roots) - 1;
  const dictionary = device.persistent('f32', width, d);
  device.write(
    dictionary,
    Float32Array.from({ length: width * d }, (_, at) => noise(at)),
  );
  let row = 0;
  return {
    architecture: 'synthetic',
    d,
    width,
    views: [{ name: 'full', from: 0, to: width }],
    outputBias: null,
    forest: new Forest(Int32Array.from({ length: width }, (_, latent) => (latent < roots ? -1 : latent % roots))),
    encode(_tape, x) {
      const rows = x.shape[0];
      const perRow = 2 * families;
      const codes = device.scratchCodes(rows, width, perRow);
      const index = new Uint32Array(rows * perRow);
      for (let r = 0; r < rows; r++, row++) {
        const entries = index.subarray(r * perRow, (r + 1) * perRow);
        for (let i = 0; i < families; i++) {
          // One root of every sixteenth, and one of its children.
          const root = Math.floor(((i + unit(row * families + i)) * roots) / families);
          const generation = 1 + Math.floor(unit(row * families + i + 0.5) * generations);
          entries[i] = root;
          entries[families + i] = Math.min(width - 1, generation * roots + root);
        }
        entries.sort();
      }
      const value = Float32Array.from(index, (latent, at) => 0.1 + unit(latent + 31 * at));
      device.write(codes.index, index);
      device.write(codes.value, value);
      return codes;
    },
    dictionary: () => dictionary,
  };
}

/** Of equal length. */
export function documents(tokens, d) {
  const fill = (out, from) => {
    for (let at = 0; at < out.length; at++) out[at] = noise(from * d + at);
  };
  return {
    d,
    trainRows: Infinity,
    heldOutRows: tokens,
    normalization: { kind: 'none' },
    identity: { kind: 'synthetic', hash: 'synthetic', description: null },
    batch: async (index, out) => fill(out, index * (out.length / d)),
    async heldOut(start, out, origins) {
      const rows = Math.max(0, Math.min(out.length / d, tokens - start));
      fill(out.subarray(0, rows * d), start);
      if (!origins) return rows;
      for (let r = 0; r < rows; r++) {
        origins.tokens[r] = (start + r) % 997;
        origins.pos[r] = (start + r) % DOCUMENT;
        origins.doc[r] = Math.floor((start + r) / DOCUMENT);
      }
      return rows;
    },
    close: async () => {},
  };
}
