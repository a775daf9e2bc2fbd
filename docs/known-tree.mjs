/** The section of docs/architectures.md about the toy tree: its table, and what we make of it. */
import { markdownTable, number } from './markdown.mjs';

const COLUMNS = [
  ['VE', 'variance_explained', 3],
  ['L0', 'l0', 2],
  ['features of 20', 'features_found', 1],
  ['F1', 'feature_f1', 2],
  ['absorption', 'absorption_rate', 2],
  ['leak', 'decoder_leak', 2],
  ['edges of 9', 'edges_found', 1],
  ['wrong edges', 'wrong_edges', 1],
];
/** A system recovers the tree when on average it has at least this many of the 9 edges and no more wrong ones than … */
const [MOST_EDGES, FEW_WRONG] = [7, 2];

const edges = ({ metrics }) => [metrics.edges_found.value, metrics.wrong_edges.value];

/** @param measured what bench/toy-tree.mjs wrote */
export function onKnownTree({ seeds, definitions, results }) {
  const judged = (verdict) => listed(results.filter(({ absorbs }) => absorbs === verdict));
  const recovers = (result) => edges(result)[0] >= MOST_EDGES && edges(result)[1] <= FEW_WRONG;
  const rest = results.filter((result) => !recovers(result));
  const most = Math.max(...rest.map((result) => edges(result)[0]));
  const diverged = results.filter((result) => result.diverged.length > 0);
  return [
    '',
    '## On a tree with known truth',
    '',
    'The toy world of Nabeshima (`noanabeshima/matryoshka-saes`): 20 orthogonal features in 20 dimensions, three parents (P = 0.15) with',
    'three mutually exclusive children each (P = 0.2 given the parent) and eight independent leaves (P = 0.05); 1.12 are on at a time. The',
    `question: does a latent for the parent still fire where a child is on, or has the child’s latent *absorbed* it? ${seeds} seeds, each`,
    'with its own tree, data and weights, of at most ten seconds; means ± half of a 95 % t-interval over seeds. To reproduce:',
    '',
    '```sh',
    'npm run build && node bench/toy-tree.mjs && npm run docs    # only the numbers: saeforest bench toy-tree',
    '```',
    '',
    ...markdownTable(
      ['', ...COLUMNS.map(([title]) => title), 'forest', 'absorbs'],
      results.map((result) => [
        linked(result),
        ...COLUMNS.map(([, name, digits]) => withMargin(result.metrics[name], digits)),
        result.own_forest === null ? '–' : result.own_forest ? 'own' : 'extracted',
        result.absorbs,
      ]),
    ),
    '',
    ...COLUMNS.map(([title, name]) => `- ${title}: ${definitions[name].replace(/; mean over seeds.*$/, '')}.`),
    '- forest: the model’s own, or extracted from which latents fire together.',
    '- absorbs: yes if the interval of absorption or of leak lies above 0.1, no if both lie below.',
    '',
    ...(diverged.length > 0 ? [`Diverged on some seeds, which are in no number: ${listed(diverged)}.`, ''] : []),
    '**The claim.** The authors of Matryoshka SAEs say that on this data a flat ReLU SAE under an L1 penalty absorbs (a child’s decoder',
    'row is parent + child, and the parent’s latent has holes), and that random prefixes recover the tree.',
    '',
    `**What we find.** Absorbs: ${judged('yes')}. Does not: ${judged('no')}. Unclear: ${judged('unclear')}.`,
    `Recovers the tree (at least ${MOST_EDGES} of 9 edges and at most ${FEW_WRONG} wrong ones on average): ${listed(results.filter(recovers))}; no other has more`,
    `than ${number(most, 1)} edges.`,
    '',
    ...READING,
  ];
}

/** What stands behind the numbers: to be read again when they change. */
const READING = [
  'The first half of the claim holds here to the letter. `relu-l1` finds the parents and the leaves, but every child as parent + child: it',
  'reconstructs everything with 0.85 latents per token, fewer than the 1.12 features that are on. Weights of the penalty from 0.01 to 0.5',
  'made no difference, for that solution also has the least L1; an L0 above 1 is not to be had from it. So a better VE at a lower L0 is no',
  'evidence of true features. The second half holds on average, with our version: `batchtopk` and `matryoshka` with random prefixes have the',
  'same settings but for the prefixes. One prefix absorbs; ten random ones do not, and recover most of the tree, on some seeds not all of it.',
  'Fixed prefixes do as well within the intervals, but the interval of their absorption reaches above 0.1, hence “unclear”. `compositional`,',
  'whose tiers are prefixes too, recovers most with its L1 variant.',
  '',
  'A forest in the architecture does not by itself find the tree. In `h-sae` and `tree-sae` children leak little on average, but every expert',
  'has atoms whether its feature has children or not, and children get a parent at random and change it only when dead: most of their edges',
  'are wrong, and both are among the four that reconstruct worst. The levels of `hsae-forest` each reconstruct alone: in the fine one a child',
  'is again parent + child, which is the leak in its row. Its latents are matched to features in each level separately, so that a feature may',
  'stand in both (such a copy is no wrong edge); L0 counts both levels, VE is that of the fine one. In all other architectures, with tiers or',
  'layers or without, a feature has one latent at most.',
  '',
  '**What this is not.** The authors’ Matryoshka has an L1 penalty, sorted latents and 40 000 steps; ours selects as BatchTopK does, for 5 000',
  'steps, in the first 3 000 of which k falls from 20 to 1 (without that it found 16 to 17 features and 6 to 7 edges on two seeds). Settings',
  'were tried lightly on seeds 0 and 1, which are among those above; the sizes of hierarchical ones are fitted to the tree',
  '(`src/cli/toy-settings.ts`). Where k is fixed per token (`topk`, `matryoshka-topk`, `switch`, `tree-sae`), latents fire also in the 40 % of',
  'rows where nothing is on. Twenty orthogonal features show how absorption comes about, not which architecture is best on a language model.',
];

function linked({ architecture, variant }) {
  return `[\`${architecture}\`](#${architecture})${variant === null ? '' : `, ${variant}`}`;
}

function listed(results) {
  const names = results.map(
    ({ architecture, variant }) => `\`${architecture}\`${variant === null ? '' : ` (${variant})`}`,
  );
  return names.length > 0 ? names.join(', ') : 'none';
}

function withMargin({ value, high }, digits) {
  return value === null || high === null
    ? number(value, digits)
    : `${number(value, digits)} ± ${number(high - value, digits)}`;
}
