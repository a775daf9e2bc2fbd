/**
 * For the suites that need a language model: the embedded one reads its world, and an SAE that was never trained encodes what it says. Both
 * read a number of texts that has a bound of its own; the tokens are those that are held out.
 */
import { fileURLToPath } from 'node:url';
import { LanguageModel } from '../../dist/lm/model.js';
import { architectureNamed } from '../../dist/sae/registry.js';
import { documents } from './tree.mjs';

const MODEL = fileURLToPath(new URL('../../assets/world', import.meta.url));
const ACTIVE = 32;

export async function embeddedWorld({ device, tokens, width }) {
  const model = await LanguageModel.open(MODEL);
  const { d } = model.info;
  const source = documents(tokens, d);
  const sae = architectureNamed('topk').build(
    { ...architectureNamed('topk').schema.parse({ width, k: ACTIVE }) },
    { device, d, seed: 0, batch: 2048, steps: 1 },
  );
  const x = new Float32Array(2048 * d);
  await source.heldOut(0, x);
  sae.start(x);
  const { bosId } = model.tokenizer;
  const bos = bosId ?? null;
  return {
    sae,
    source,
    model: { model, layer: 1, hook: 'resid_post', bosId: bos, dropped: bos === null ? [] : [bos], packed: false },
  };
}
