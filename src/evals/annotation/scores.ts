/** What people's answers say: how far they agree, and how often they affirm what the SAE claims, beside its null. */
import { Bootstrap, insufficient, type Meaning, type Metric, type Metrics } from '../metric.ts';
import type { GivenAnswer } from './files.ts';
import { ABOUT, KINDS, type KeyEntry, type Kind } from './items.ts';
import { cohenKappa, fleissKappa, type KappaWeights } from './kappa.ts';

/** Fewer items give no number. */
const MIN_ITEMS = 10;

/** Answers to the items of one kind. */
interface Answers {
  readonly kind: Kind;
  readonly annotators: readonly string[];
  /** Place of each annotator's answer in the list of the kind, by item; undefined where there is none. */
  readonly given: readonly (readonly (number | undefined)[])[];
  /** `[items]` */
  readonly conditions: readonly string[];
}

/** By kind, for kinds with answers. */
export function annotationMetrics(
  answers: readonly GivenAnswer[],
  key: ReadonlyMap<string, KeyEntry>,
  seed: number,
): Partial<Record<Kind, Metrics>> {
  const kinds = KINDS.filter((kind) => answers.some(({ item }) => key.get(item)!.kind === kind));
  return Object.fromEntries(kinds.map((kind) => [kind, metricsOfKind(answersOf(kind, answers, key), seed)]));
}

function answersOf(kind: Kind, answers: readonly GivenAnswer[], key: ReadonlyMap<string, KeyEntry>): Answers {
  const own = answers.filter(({ item }) => key.get(item)!.kind === kind);
  const annotators = [...new Set(own.map(({ annotator }) => annotator))].sort();
  const byItem = new Map<string, (number | undefined)[]>();
  for (const { item, annotator, answer } of own) {
    const row = byItem.get(item) ?? Array.from({ length: annotators.length }, () => undefined);
    row[annotators.indexOf(annotator)] = ABOUT[kind].answers.indexOf(answer);
    byItem.set(item, row);
  }
  // In the order of the key: the draws do not depend on the order in which people answered.
  const items = [...key.keys()].filter((id) => byItem.has(id));
  return {
    kind,
    annotators,
    given: items.map((id) => byItem.get(id)!),
    conditions: items.map((id) => key.get(id)!.condition),
  };
}

function metricsOfKind(answers: Answers, seed: number): Metrics {
  return { ...conditionMetrics(answers, seed), ...agreementMetrics(answers, seed) };
}

/** A bootstrap over items, or the reason why there are too few. */
function overItems(
  count: number,
  statistic: (weights: Float64Array) => number,
  meaning: Omit<Meaning, 'n'>,
  seed: number,
): Metric {
  if (count < MIN_ITEMS) {
    return insufficient(`${count} items, at least ${MIN_ITEMS} are needed`, { n: count, ...meaning });
  }
  const units = { count, label: `${count} items` };
  return new Bootstrap(units, seed).of(statistic, { n: count, ...meaning });
}

function conditionMetrics({ kind, given, conditions }: Answers, seed: number): Metrics {
  const { conditions: names, answers } = ABOUT[kind];
  const isScale = kind === 'coherence';
  const [what, unit] = isScale ? ['the rating', `1 … ${answers.length}`] : ['the share of yes', 'share'];
  // Of an item: mean over its annotators. "yes" is the first answer.
  const values = given.map((row) => {
    const known = row
      .filter((answer) => answer !== undefined)
      .map((answer) => (isScale ? answer + 1 : Number(answer === 0)));
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  });
  const mean = (weights: Float64Array, condition: string): number => {
    let [sum, total] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      if (conditions[i] !== condition) continue;
      sum += weights[i] * values[i];
      total += weights[i];
    }
    return sum / total;
  };
  const counts = names.map((name) => conditions.filter((condition) => condition === name).length);
  const metrics: Metrics = {};
  names.forEach((name, c) => {
    const own = conditions.flatMap((condition, i) => (condition === name ? [values[i]] : []));
    const definition = `mean over the items "${name}" of ${what} among their annotators`;
    const statistic = (weights: Float64Array): number =>
      own.reduce((sum, value, i) => sum + weights[i] * value, 0) / weights.reduce((sum, weight) => sum + weight, 0);
    metrics[`${isScale ? 'rating' : 'yes'}_${name}`] = overItems(counts[c], statistic, { unit, definition }, seed);
  });
  const least = Math.min(...counts);
  const definition = `mean over the items "${names[0]}" minus mean over the items "${names[1]}" of ${what} among their annotators`;
  metrics.difference =
    least < MIN_ITEMS
      ? insufficient(`${least} items of one condition, at least ${MIN_ITEMS} are needed`, {
          n: values.length,
          unit,
          definition,
        })
      : overItems(values.length, (w) => mean(w, names[0]) - mean(w, names[1]), { unit, definition }, seed);
  if (kind === 'detection') metrics.accuracy = accuracy(values, conditions, names[0], seed);
  return metrics;
}

function accuracy(yes: readonly number[], conditions: readonly string[], target: string, seed: number): Metric {
  const right = yes.map((share, i) => (conditions[i] === target ? share : 1 - share));
  const statistic = (weights: Float64Array): number =>
    right.reduce((sum, share, i) => sum + weights[i] * share, 0) / weights.reduce((sum, weight) => sum + weight, 0);
  const definition =
    'mean over items of the share of annotators who said rightly whether the latent fires in the text of B';
  return overItems(right.length, statistic, { unit: 'share', definition }, seed);
}

function agreementMetrics({ kind, annotators, given }: Answers, seed: number): Metrics {
  const labels = ABOUT[kind].answers;
  const metrics: Metrics = {};
  const weightings: KappaWeights[] = labels.length > 2 ? ['none', 'linear', 'quadratic'] : ['none'];
  for (const [a, b] of pairsOf(annotators.length)) {
    const both = given.filter((row) => row[a] !== undefined && row[b] !== undefined);
    const whose = annotators.length === 2 ? '' : ` ${annotators[a]} and ${annotators[b]}`;
    for (const weights of weightings) {
      const statistic = (itemWeights: Float64Array): number => {
        const table = labels.map(() => labels.map(() => 0));
        both.forEach((row, i) => (table[row[a]!][row[b]!] += itemWeights[i]));
        return cohenKappa(table, weights).kappa;
      };
      const name = `cohen_kappa${weights === 'none' ? '' : `_${weights}`}${whose}`;
      const definition =
        `Cohen's κ of ${annotators[a]} and ${annotators[b]} over the items that both answered: ` +
        (weights === 'none' ? '(p_o − p_e) / (1 − p_e)' : `1 − Σ w O / Σ w E with ${weights} weights`);
      metrics[name] = overItems(both.length, statistic, { unit: 'κ', definition }, seed);
    }
  }
  const complete = given.filter((row) => row.every((answer) => answer !== undefined));
  const counts = complete.map((row) => labels.map((_, label) => row.filter((answer) => answer === label).length));
  const definition = `Fleiss' κ of ${annotators.length} annotators over the items that all of them answered: (P̄ − P̄_e) / (1 − P̄_e)`;
  metrics.fleiss_kappa =
    annotators.length < 2
      ? insufficient('one annotator, at least 2 are needed', { n: counts.length, unit: 'κ', definition })
      : overItems(counts.length, (weights) => fleissKappa(counts, weights).kappa, { unit: 'κ', definition }, seed);
  return metrics;
}

function pairsOf(count: number): [number, number][] {
  return Array.from({ length: count }, (_, a) => a).flatMap((a) =>
    Array.from({ length: count - a - 1 }, (_, i): [number, number] => [a, a + 1 + i]),
  );
}
