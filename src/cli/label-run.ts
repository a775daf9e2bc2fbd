/** What `saeforest label` does: reads contexts, says what it will cost, asks, scores. */
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { EXIT, UsageError } from '../core/errors.ts';
import { makeFolder, writeFileAtomic } from '../core/files.ts';
import { FolderLock } from '../core/lock.ts';
import { AnswerCache } from '../evals/labels/answer-cache.ts';
import { Endpoint } from '../evals/labels/endpoint.ts';
import { estimate, type Estimate } from '../evals/labels/estimate.ts';
import { label, planLabels, type Labels, type Plan } from '../evals/labels/label.ts';
import { labelMetrics } from '../evals/labels/metrics.ts';
import { toJson, type SuiteResult } from '../evals/metric.ts';
import { writeResult } from '../evals/result-files.ts';
import { untilInterrupted } from './interrupt.ts';
import type { LabelCommandOptions } from './label.ts';
import { metricTable } from './metric-table.ts';
import { withRunContext } from './run-context.ts';
import { Countdown, table, type Terminal } from './terminal.ts';

export async function labelRun(options: LabelCommandOptions, terminal: Terminal): Promise<number> {
  const { run, modelName, latents, pairs, answerTokens, endpoint: url } = options;
  const stop = new AbortController();
  // Before the rows are read: what is wrong with the command should be said at once.
  const endpoint = options.estimate ? undefined : openEndpoint(options, stop.signal);
  const folder = join(run, 'evals', 'labels');
  const cache = new AnswerCache(join(folder, 'cache'));
  return withRunContext(options, terminal, async (context, measured) => {
    const plan = await planLabels(context, { judge: modelName, latents, pairs, answerTokens });
    const cost = estimate(plan, cache, { input: options.priceIn, output: options.priceOut });
    if (!endpoint) {
      terminal.result({ estimate: cost }, costLines(plan, cost));
      return EXIT.done;
    }
    for (const line of costLines(plan, cost)) terminal.note(line);
    if (cost.requests > 0 && !options.yes && !(await confirmed(terminal, url!))) return EXIT.done;
    makeFolder(folder);
    const lock = FolderLock.acquire(folder);
    try {
      cache.clean();
      const countdown = new Countdown(terminal);
      const labels = await untilInterrupted(terminal, (signal) => {
        signal.addEventListener('abort', () => stop.abort(), { once: true });
        return label(plan, endpoint, cache, {
          concurrency: options.concurrency,
          stop,
          onProgress: (done) => countdown.report('answers', done, Math.max(done, cost.requests)),
        });
      });
      const result = labelMetrics(labels, plan, context.seed);
      writeFileAtomic(join(folder, 'explanations.jsonl'), explanationLines(labels, plan));
      writeFileAtomic(join(folder, 'pairs.jsonl'), jsonLines(labels.pairs));
      const { unreadable } = labels;
      writeResult(run, 'labels', {
        result,
        measured: { ...measured, judge: modelName, latents, pairs, answerTokens, unreadable },
      });
      report(result, labels, plan, folder, terminal);
      return EXIT.done;
    } finally {
      lock.release();
    }
  });
}

function openEndpoint(options: LabelCommandOptions, signal: AbortSignal): Endpoint {
  const { endpoint: url, modelName: model, keyEnv, requestsPerMinute, timeout } = options;
  if (url === undefined) {
    throw new UsageError('--endpoint is required', {
      hint: '--endpoint https://api.openai.com/v1, or --estimate to see the cost',
    });
  }
  const key = process.env[keyEnv]?.trim();
  if (!key) {
    throw new UsageError(`no key for the endpoint: the variable ${keyEnv} of the environment is not set`, {
      hint: `export ${keyEnv}=…; a server that wants no key takes any, such as ${keyEnv}=none; --key-env names another variable`,
    });
  }
  return new Endpoint({ url, key, model, requestsPerMinute, timeoutMs: timeout * 1000, signal });
}

const whole = (value: number): string => value.toLocaleString('en');

function costLines(plan: Plan, { requests, cached, promptTokens, completionTokens, cost }: Estimate): string[] {
  const known = cached === 0 ? '' : `, ${whole(cached)} more are answered already`;
  return [
    `${whole(plan.examples.length)} latents and ${whole(plan.relations.length)} pairs: ${whole(requests)} requests${known}`,
    `about ${whole(promptTokens)} prompt tokens (characters / 4), at most ${whole(completionTokens)} completion tokens`,
    cost === undefined ? 'cost: unknown without --price-in and --price-out' : `cost: at most about ${cost.toFixed(2)}`,
  ];
}

/** Asks at a terminal. @throws UsageError where there is nobody to ask */
async function confirmed(terminal: Terminal, url: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError('nothing was sent: there is nobody to confirm these requests', { hint: '--yes starts them' });
  }
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const yes = /^y(es)?$/i.test((await questions.question(`send these texts to ${url}? [y/N] `)).trim());
    if (!yes) terminal.note('nothing was sent');
    return yes;
  } finally {
    questions.close();
  }
}

const jsonLines = (values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');

function explanationLines({ latents }: Labels, { fired, rows }: Plan): string {
  return jsonLines(latents.map((latent) => ({ ...latent, frequency: fired.get(latent.latent)! / rows })));
}

function report(result: SuiteResult, labels: Labels, plan: Plan, folder: string, terminal: Terminal): void {
  const shown = labels.latents.slice(0, 10);
  terminal.result({ labels: toJson(result) }, [
    ...metricTable(result.metrics),
    '',
    ...table(
      [
        ['latent', 'detection', 'fuzzing', 'explanation'],
        ...shown.map(({ latent, detection, fuzzing, explanation }) => [
          String(latent),
          score(detection),
          score(fuzzing),
          explanation,
        ]),
      ],
      ['right', 'right', 'right', 'left'],
    ),
    '',
    ...(plan.passedOver.size === 0 ? [] : [`${plan.passedOver.size} latents were passed over: ${reasons(plan)}`]),
    ...(labels.unreadable === 0 ? [] : [`${labels.unreadable} questions had no readable answer and are left out`]),
    `all explanations: ${join(folder, 'explanations.jsonl')}`,
  ]);
}

const score = (value: number | undefined): string => value?.toFixed(2) ?? '–';

const reasons = ({ passedOver }: Plan): string => [...new Set(passedOver.values())].join(', ');
