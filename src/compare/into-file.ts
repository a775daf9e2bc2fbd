/** Puts a table into a Markdown file between two comments: `<!-- compare:NAME -->` and `<!-- /compare:NAME -->`. */
import { InputError, UsageError } from '../core/errors.ts';
import { readTextFile, writeFileAtomic } from '../core/files.ts';

/** @param target `README.md#world` @throws UsageError, InputError where the file has no such place */
export function putTable(target: string, lines: readonly string[]): void {
  const [, path, name] = /^(.+)#([\w-]+)$/.exec(target) ?? [];
  if (path === undefined) throw new UsageError(`not a file and a name: ${target}`, { hint: '--into README.md#world' });
  const text = readTextFile(path, 'document');
  const [begin, end] = [`<!-- compare:${name} -->`, `<!-- /compare:${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) {
    throw new InputError(`there is no place for the table: the lines ${begin} and ${end}`, {
      where: path,
      hint: 'write the two lines where the table shall stand',
    });
  }
  const before = text.slice(0, from + begin.length);
  writeFileAtomic(path, `${before}\n\n${lines.join('\n')}\n\n${text.slice(to)}`);
}
