/** `saeforest annotate serve`: a page on this machine on which people answer items. */
import { z } from 'zod';
import { defineCommand, text } from './command.ts';

const schema = z.strictObject({
  file: text,
  out: text,
  port: z.number().int().min(0).max(65535).default(4747),
});

export const annotateServe = defineCommand({
  usage: 'annotate serve <file>',
  summary: 'Open a local page to answer exported items; every answer is saved at once, one file per annotator.',
  flags: [
    { flag: '--out <folder>', help: 'where the answers go; goes on with those that are there' },
    { flag: '--port <n>', help: 'on this machine only (default 4747; 0 for any that is free)' },
  ],
  examples: ['saeforest annotate serve items.csv --out answers'],
  schema,
  async run({ file, out, port }, terminal) {
    const { makeFolder } = await import('../core/files.ts');
    const { FolderLock } = await import('../core/lock.ts');
    const { AnswerStore } = await import('../evals/annotation/answer-store.ts');
    const { readItems } = await import('../evals/annotation/files.ts');
    const { serveItems } = await import('../evals/annotation/server.ts');
    const { untilInterrupted } = await import('./interrupt.ts');

    const items = readItems(file);
    makeFolder(out);
    const lock = FolderLock.acquire(out);
    try {
      const server = await serveItems(items, new AnswerStore(out, items), port);
      terminal.result({ url: server.url, items: items.length, out }, [
        `${items.length} items on ${server.url}`,
        `answers go to ${out}; Ctrl-C ends`,
      ]);
      await untilInterrupted(
        terminal,
        (signal) =>
          new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => resolve(), { once: true });
          }),
      );
      await server.close();
    } finally {
      lock.release();
    }
  },
});
