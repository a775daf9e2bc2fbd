/**
 * An architecture of your own in one file: declared, registered, trained on the toy tree, and asked what it found.
 *
 *   npm run build && node examples/own-architecture.mjs [folder for the run]
 *
 * The idea: a TopK SAE whose first latents, the trunk, have to explain each token as well as they can without the others. Encoder and
 * decoder share their weights W [F, d], whose rows have norm 1:
 *
 *   f = TopK_k(ReLU(W (x − b))),   x̂ = Wᵀ f + b,   x̂_trunk = the same from the latents of the trunk alone
 *   L = ‖x − x̂‖² + α ‖x − x̂_trunk‖²
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as saeforest from 'saeforest';
import { decode, encodeTop, squaredError, z } from 'saeforest';

// The configuration: every key with its default and meaning. `saeforest archs` and config.yaml are made from it.
const schema = z.strictObject({
  width: z.number().int().min(2).default(4096).describe('number of latents F'),
  trunk: z.number().int().positive().default(512).describe('latents that reconstruct on their own as well'),
  k: z.number().int().positive().default(32).describe('active latents per token'),
  alpha: z.number().min(0).default(0.5).describe('α, weight of the reconstruction by the trunk'),
  lr: z.number().positive().default(1e-3).describe('peak learning rate'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(1_000_000)
    .describe('tokens without selection after which a latent is dead'),
});

class TrunkSae {
  architecture = 'trunk';
  forest = undefined;
  hostState = {};
  #config;
  #context;
  #encoder;
  #dead;

  constructor(config, context) {
    const { device, d, seed, steps } = context;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = config.width;
    this.views = [
      { name: 'full', from: 0, to: config.width },
      { name: 'trunk', from: 0, to: config.trunk },
    ];
    const [W, bias] = [device.persistent('f32', config.width, d), device.persistent('f32', d)];
    device.write(W, saeforest.unitRows(config.width, d, seed, 'W'));
    this.outputBias = bias;
    this.#encoder = { W, bias: null, center: bias, floor: saeforest.RELU };
    this.parameters = [
      { name: 'W', tensor: W, unitRows: true },
      { name: 'b', tensor: bias, unitRows: false },
    ];
    this.#dead = new saeforest.DeadLatents(device.persistent('f32', config.width), config.deadAfter);
    // Everything that survives a kill is in parameters, state and hostState.
    this.state = { since_selected: this.#dead.counter };
    const rate = saeforest.linearWarmupDecay(steps, saeforest.defaultWarmup(steps), Math.floor(0.8 * steps));
    this.update = {
      stages: [
        { kind: 'project', epsilon: 0 },
        { kind: 'clip', maxNorm: 1, style: 'torch' },
        { kind: 'adam', renormalize: 0 },
      ],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: (step) => config.lr * rate(step),
    };
  }

  /** Before step 0: the bias starts where most of the data are. */
  start(batch) {
    this.#context.device.write(this.outputBias, saeforest.geometricMedian(batch, this.d));
  }

  forward(tape, x) {
    const { k, trunk, alpha } = this.#config;
    const codes = encodeTop(tape, x, this.#encoder, k);
    const reconstruction = decode(tape, codes, this.#encoder.W, this.outputBias);
    const ofTrunk = decode(tape, codes, this.#encoder.W, this.outputBias, { range: { from: 0, to: trunk } });
    this.#dead.observe(tape, codes);
    return {
      losses: {
        l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
        l2_trunk: { value: squaredError(tape, ofTrunk, x), weight: alpha },
      },
      observed: {},
      codes,
      reconstruction,
      commit: () => this.#dead.commit(tape),
    };
  }

  afterStep() {}

  encode(tape, x) {
    return encodeTop(tape, x, this.#encoder, this.#config.k);
  }

  dictionary() {
    return this.#encoder.W;
  }

  deadFraction() {
    return this.#dead.fraction(this.#context);
  }
}

saeforest.registerArchitecture(
  saeforest.defineArchitecture({
    name: 'trunk',
    paper: 'an example of saeforest, 2026',
    summary: 'flat, tied weights; the first latents reconstruct on their own as well',
    about: { idea: 'See above.', equations: 'See above.', use: 'To start from.' },
    hierarchical: false,
    views: ['full', 'trunk'],
    normalization: 'none',
    schema,
    check: ({ k, trunk, width }) =>
      k > width || trunk > width ? `k ${k} and trunk ${trunk} can be at most the width, ${width}` : undefined,
    cost: ({ width, k }, d) => ({ parameters: (width + 1) * d, encodeFlops: 2 * width * d, decodeFlops: 2 * k * d }),
    build: (config, context) => new TrunkSae(config, context),
  }),
);

// From here on it is an architecture like any other: checkpoints, exact resume, evaluation.
const seed = 0;
const outcome = await saeforest.runTraining({
  out: process.argv[2] ?? join(mkdtempSync(join(tmpdir(), 'saeforest-example-')), 'run'),
  saes: [{ arch: 'trunk', keys: { width: 20, trunk: 3, k: 3, lr: 3e-3 }, where: 'examples/own-architecture.mjs' }],
  overrides: { acts: 'synthetic:toy-tree', tokens: 300_000, batch: 512, seed },
  configFile: undefined,
  resume: false,
  threads: undefined,
  note: (line) => console.error(line),
  onProgress: () => undefined,
});
const device = await saeforest.CpuDevice.create();
const run = saeforest.openRun(outcome.runs[0].folder, device);
const found = await saeforest.recoverToyTree(device, run.sae, await run.source(), new saeforest.ToyTree(seed));
await device.close();
console.log(
  `variance explained ${found.variance_explained.toFixed(3)}, L0 ${found.l0.toFixed(2)}, ` +
    `${found.features_recovered} of ${found.features} features found; the run is in ${run.folder}`,
);
