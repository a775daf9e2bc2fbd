/** `saeforest annotate score`: agreement between annotators, and what they affirm beside its null. */
import { z } from 'zod';
import { defineCommand, index, list, text } from './command.ts';

const schema = z.strictObject({
  files: list.pipe(z.array(z.string()).min(1, 'is required')),
  key: text,
  seed: index.default(0),
});

export const annotateScore = defineCommand({
  usage: 'annotate score <...files>',
  summary: "Agreement (Cohen's and Fleiss' κ) and answers by condition, with intervals over items.",
  flags: [
    { flag: '--key <file>', help: 'written by annotate export' },
    { flag: '--seed <n>', help: 'of the intervals (default 0)' },
  ],
  examples: ['saeforest annotate score answers/anna.csv answers/ben.csv --key items.key.json'],
  schema,
  async run({ files, key: keyFile, seed }, terminal) {
    const { InputError } = await import('../core/errors.ts');
    const { readAnswers, readKey } = await import('../evals/annotation/files.ts');
    const { annotationMetrics } = await import('../evals/annotation/scores.ts');
    const { toJson } = await import('../evals/metric.ts');
    const { metricTable } = await import('./metric-table.ts');
    const key = readKey(keyFile);
    const answers = readAnswers(files, key);
    if (answers.length === 0) throw new InputError('nobody has answered an item yet', { where: files.join(', ') });
    const annotators = [...new Set(answers.map(({ annotator }) => annotator))].sort();
    const kinds = Object.entries(annotationMetrics(answers, key, seed));
    const ofKinds = kinds.map(([kind, metrics]) => [kind, toJson({ metrics, views: {}, skipped: {} })]);
    terminal.result({ annotators, items: key.size, answers: answers.length, kinds: Object.fromEntries(ofKinds) }, [
      `${answers.length} answers of ${annotators.join(', ')} to ${key.size} items`,
      ...kinds.flatMap(([kind, metrics]) => ['', terminal.colors.bold(kind), ...metricTable(metrics)]),
    ]);
  },
});
