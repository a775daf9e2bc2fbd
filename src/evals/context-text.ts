/** Contexts as text: what each token adds to it, and marks around some of them. */
import type { Tokenizer } from '../lm/tokenizer.ts';
import type { Context } from './contexts.ts';

/** A token counts as one at which the latent fires from this share of its largest activation on (SAEBench's autointerp). */
const MARKED_SHARE = 0.01;

/** Text that each token adds; what belongs to several tokens, such as the bytes of a letter, comes with the last of them. */
export function tokenTexts(tokenizer: Pick<Tokenizer, 'decode'>, tokens: Int32Array): string[] {
  let before = '';
  return Array.from(tokens, (_, i) => {
    const all = tokenizer.decode(tokens.subarray(0, i + 1));
    // Bytes of an unfinished letter are shown as U+FFFD until it is complete.
    if (all.endsWith('\uFFFD') && i + 1 < tokens.length) return '';
    let same = 0;
    while (same < before.length && before[same] === all[same]) same++;
    before = all;
    return all.slice(same);
  });
}

/** @param strongest activation of the latent anywhere in its contexts; @returns `[tokens]` where it fires */
export function firingTokens({ strength }: Context, strongest: number): boolean[] {
  return Array.from(strength, (value) => value > 0 && value >= MARKED_SHARE * strongest);
}

/** One line; runs of marked tokens are written `<<so>>`. Line breaks become ⏎, and the text's own brackets are set apart. */
export function markedText(texts: readonly string[], marked?: readonly boolean[]): string {
  let line = '';
  let open = false;
  const close = (): void => {
    if (open) line += '>>';
    open = false;
  };
  texts.forEach((text, i) => {
    const plain = text
      .replaceAll('<<', '< <')
      .replaceAll('>>', '> >')
      .replaceAll(/\r?\n|\r/g, '⏎');
    if (!marked?.[i]) close();
    else if (!open && plain.trim() !== '') {
      // White space before the first marked token stays outside.
      const space = /^\s*/.exec(plain)![0];
      line += `${space}<<${plain.slice(space.length)}`;
      open = true;
      return;
    }
    line += plain;
  });
  close();
  return line.trim();
}
