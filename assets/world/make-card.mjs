#!/usr/bin/env node
/**
 * Writes the model card README.md and loss.svg from training.json (train.py) and card.json (saeforest world card).
 * `npm run world:card` measures first; --check only says (exit code 1) whether they are up to date.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { markdownTable } from '../../docs/markdown.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const read = (name) => JSON.parse(readFileSync(here(name), 'utf8'));
const training = read('training.json');
const card = read('card.json');

const control = ({ n, value }) => (n < 5 ? '–' : value.toFixed(2));
const count = (n) => n.toLocaleString('en');
const nats = ({ value }) => value.toFixed(3);
const withInterval = ({ value, low, high }) => `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
const percent = ({ value, low, high }) => [value, low, high].map((share) => (100 * share).toFixed(1));
const bytes = ['onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json', 'config.json']
  .map((name) => statSync(here(name)).size)
  .reduce((a, b) => a + b, 0);

const files = { 'loss.svg': lossCurve(), 'README.md': `${page().flat().join('\n')}\n` };
for (const [name, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(here(name), text);
  else if (readFileSync(here(name), 'utf8') !== text) {
    console.error(`not up to date, npm run world:card writes it: ${name}`);
    process.exitCode = 1;
  }
}

function page() {
  const { data, versions, optimizer } = training;
  return [
    '# The embedded model',
    '',
    '<!-- Made by make-card.mjs from training.json and card.json: npm run world:card -->',
    '',
    `A small transformer that was trained on text of the generated world (\`src/world\`): three languages, ${count(card.world.concepts)} concepts in a known tree, ${count(card.world.vocabulary)} words.`,
    'It exists to be taken apart: what its activations should hold is known for every token.',
    'It knows nothing of the real world and is of no use outside this project.',
    '',
    '| | |',
    '| --- | --- |',
    `| architecture | Llama: ${card.model.layers} blocks, width ${card.model.d}, ${training.heads} heads, SwiGLU ${training.hidden}, RoPE, RMSNorm, tied embedding |`,
    `| parameters | ${count(training.parameters)} (float32; ${(bytes / 1e6).toFixed(2)} MB with the tokenizer) |`,
    `| context | ${training.context} tokens; the world's documents have at most about 80 |`,
    `| trained on | ${count(training.tokensSeen)} tokens of the split \`train\` (seed ${data.seed}, world ${data.hash.slice(0, 12)}, tokens.bin sha256 ${data.tokensSha256.slice(0, 12)}), each at most once |`,
    `| optimiser | ${optimizer.name}, rate ${optimizer.rate} with ${optimizer.warmup} steps of warm-up and a cosine, ${count(training.steps)} steps of ${count(training.tokensPerStep)} tokens, seed ${training.seed} |`,
    `| training | ${training.minutes} minutes on two shared CPU cores; torch ${versions.torch}, Python ${versions.python} |`,
    `| model.onnx | sha256 ${card.model.sha256} |`,
    '',
    '![training loss by tokens, against n-grams and the generator](loss.svg)',
    '',
    '## Loss on text that it has not seen',
    '',
    'Nats per token, 95 % intervals over documents; the end of a document counts as a token. `held-out`: no sentence of these documents ever occurs in training.',
    '`new-combinations`: subjects do what they never do in training.',
    `The n-gram models (interpolated Kneser–Ney) were trained on ${count(card.ngramTokens)} tokens of the same text.`,
    '"Generator" is −ln P of the random choices that made the text: an upper bound of its entropy, since some choices leave no trace.',
    '',
    ...markdownTable(
      ['split', 'language', 'tokens', 'model', 'trigram', 'bigram', 'unigram', 'generator'],
      Object.entries(card.losses).flatMap(([split, rows]) =>
        Object.entries(rows).map(([language, { tokens, model, baselines, generator }]) => [
          split,
          language,
          count(tokens),
          withInterval(model),
          nats(baselines.trigram),
          nats(baselines.bigram),
          nats(baselines.unigram),
          generator ? `≤ ${nats(generator)}` : '–',
        ]),
      ),
    ),
    '',
    '## Did it learn the taxonomy?',
    '',
    'Linear probes (L2-regularised logistic regression) for the concepts of each level, read at the word itself, so that only what stands before it and the word are known.',
    'AUC, 0.5 is chance, mean over concepts (intervals: card.json). In brackets the same with the concepts exchanged among each other at random: what can be had without any order among them, where the same concept is on both sides, by heart or by its translation. –: fewer than five concepts could be tested.',
    '`random` has a random vector for every word instead of activations: what a probe can do by learning words by heart.',
    '',
    ...Object.entries(card.tests).flatMap(([test, meaning]) => probeTable(test, meaning)),
    '## New combinations',
    '',
    ...verbs(),
    '',
    '## Make it again',
    '',
    '```',
    'python -m venv venv && venv/bin/pip install -r assets/world/requirements.txt',
    `node bin/saeforest.js world text --split train --tokens 12400000 --out world-text`,
    'venv/bin/python assets/world/train.py --data world-text --work world-training',
    'npm run world:card',
    '```',
    '',
    'The data are the same everywhere; PyTorch gives the same weights only on the same kind of machine.',
  ];
}

function probeTable(test, meaning) {
  const scores = card.probes.filter((score) => score.test === test);
  const sites = [...new Set(scores.map(({ site }) => site))];
  const levels = [...new Set(scores.map(({ level }) => level))].sort();
  return [
    `**${test}**: ${meaning}`,
    '',
    ...markdownTable(
      ['level', 'concepts', ...sites],
      levels.map((level) => {
        const row = sites.map((site) => scores.find((score) => score.level === level && score.site === site));
        const cells = row.map((score) => (score ? `${nats(score.auc)} (${control(score.exchanged)})` : '–'));
        return [level, row.find(Boolean).auc.n, ...cells];
      }),
    ),
    '',
  ];
}

function verbs() {
  const { minimalPairs, afterSubject } = card.verbs;
  const ratio = afterSubject.neverSeen.value / afterSubject.impossible.value;
  return [
    'Pairs of sentences that differ in the verb only: what the subject can do but never does in training, against what it cannot do though somebody does it to that object.',
    'How often the model, and the trigrams, find the first more probable (chance 50 %; 95 % intervals over pairs):',
    '',
    ...markdownTable(
      ['language', 'pairs', 'model', 'trigram'],
      Object.entries(minimalPairs).map(([language, { model, trigram }]) => {
        const cells = [model, trigram].map(percent).map(([value, low, high]) => `${value} % [${low}, ${high}]`);
        return [language, model.n, ...cells];
      }),
    ),
    '',
    'Behind "the ⟨subject⟩", mean probability of one verb, among verbs: ' +
      `${percent(afterSubject.seen)[0]} % for what the subject is seen doing, ` +
      `${percent(afterSubject.neverSeen)[0]} % for what it can do but is never seen doing, ` +
      `${(100 * afterSubject.impossible.value).toFixed(3)} % for what it cannot do (${ratio.toFixed(1)} times less; ${afterSubject.seen.n} subjects in context).`,
  ];
}

/** Training and validation loss by tokens; horizontal lines for what they are compared with. */
function lossCurve() {
  const [width, height, left, bottom, top, right] = [620, 300, 46, 260, 14, 500];
  const points = training.lossByStep.map(([step, loss]) => ({ x: step * training.tokensPerStep, y: loss }));
  const validation = training.validationByStep.map(([step, loss]) => ({ x: step * training.tokensPerStep, y: loss }));
  const { baselines, generator } = card.losses['held-out'].all;
  const [most, least] = [4, Math.floor(generator.value * 10) / 10 - 0.1];
  const px = (x) => (left + ((right - left) * x) / training.tokensSeen).toFixed(1);
  const py = (y) => (top + ((bottom - top) * (most - Math.min(y, most))) / (most - least)).toFixed(1);
  const path = points.filter(({ y }) => y <= most).map(({ x, y }) => `${px(x)},${py(y)}`);
  const line = (value, name) => [
    `<line x1="${left}" x2="${right}" y1="${py(value)}" y2="${py(value)}" stroke="#b9b7b0" stroke-dasharray="4 3"/>`,
    `<text x="${right + 6}" y="${Number(py(value)) + 4}">${name} ${value.toFixed(2)}</text>`,
  ];
  const last = validation.at(-1);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#55534d">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...[2, 2.5, 3, 3.5, 4].map((y) => `<text x="${left - 8}" y="${Number(py(y)) + 4}" text-anchor="end">${y}</text>`),
    ...line(baselines.bigram.value, 'bigram'),
    ...line(baselines.trigram.value, 'trigram'),
    ...line(generator.value, 'generator ≤'),
    `<polyline points="${path.join(' ')}" fill="none" stroke="#2f6db5" stroke-width="2"/>`,
    ...validation.map(({ x, y }) => `<circle cx="${px(x)}" cy="${py(y)}" r="3.5" fill="#2f6db5"/>`),
    `<text x="${right + 6}" y="${Number(py(last.y)) - 6}" fill="#2f6db5">model ${last.y.toFixed(2)}</text>`,
    `<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#55534d"/>`,
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const tokens = share * training.tokensSeen;
      return `<text x="${px(tokens)}" y="${bottom + 16}" text-anchor="middle">${(tokens / 1e6).toFixed(1)}</text>`;
    }),
    `<text x="${(left + right) / 2}" y="${height - 8}" text-anchor="middle">million tokens</text>`,
    '</svg>',
  ].join('\n')}\n`;
}
