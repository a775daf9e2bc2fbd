/** `saeforest world …`: files that a language model can be trained on, and what readers see. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../src/lm/tokenizer.ts';
import { World } from '../../src/world/world.ts';
import { run, temporaryFolder } from '../training/support.ts';

const world = new World();

function tokensIn(folder: string): number[] {
  const bytes = readFileSync(join(folder, 'tokens.bin'));
  return Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
}

describe('world text --out', () => {
  it('writes the tokens of whole documents, each after the token of a beginning', async () => {
    const out = join(temporaryFolder(), 'world');
    const {
      code,
      err,
      out: printed,
    } = await run('world', 'text', '--out', out, '--tokens', '3000', '--start', '7', '--json');
    expect(code, err).toBe(0);
    const meta = JSON.parse(readFileSync(join(out, 'meta.json'), 'utf8'));
    const expected: number[] = [];
    let documents = 0;
    while (expected.length < 3000) expected.push(...world.document('train', 7 + documents++).tokens);
    expect(tokensIn(out)).toEqual(expected);
    expect(meta).toMatchObject({
      split: 'train',
      start: 7,
      documents,
      tokens: expected.length,
      hash: world.hash,
      seed: 0,
    });
    expect(meta).toMatchObject({ vocabulary: world.vocabulary.length, bos: 0, config: world.config });
    expect(meta.entropyNatsPerToken).toBeGreaterThan(0);
    expect(meta.entropyNatsPerToken).toBeLessThan(meta.unigramNatsPerToken);
    expect(JSON.parse(printed)).toMatchObject({ ...meta, out });
  });

  it('writes a tokenizer that reads the text back into the same tokens', async () => {
    const out = temporaryFolder();
    await run('world', 'text', '--out', out, '--documents', '2');
    const tokenizer = Tokenizer.open(out);
    expect([tokenizer.bosId, tokenizer.size]).toEqual([0, world.vocabulary.length]);
    for (let i = 0; i < 200; i++) {
      const document = world.document('train', i);
      expect(tokenizer.encodeDocument(world.textOf(document))).toEqual(document.tokens);
    }
    expect([...tokenizer.encode('the zebu sleeps')]).toEqual(
      ['the', 'zebu', 'sleeps'].map((word) => world.lexicon.id(word)),
    );
    expect(world.lexicon.id('zebu')).toBe(world.lexicon.unknownId);
  });

  it('takes as many documents as asked for, of any split and language', async () => {
    const out = temporaryFolder();
    await run('world', 'text', '--out', out, '--documents', '9', '--split', 'held-out', '--language', 'krend');
    const meta = JSON.parse(readFileSync(join(out, 'meta.json'), 'utf8'));
    expect(meta).toMatchObject({ documents: 9, split: 'held-out', config: { languageShares: [0, 0, 1] } });
    expect(tokensIn(out).filter((token) => token === 0)).toHaveLength(9);
  });

  it.each([
    [['--out', 'x'], 'needs to know how much'],
    [['--out', 'x', '--documents', '1', '--truth'], '--truth is for reading'],
    [['--split', 'test'], 'split'],
    [['--language', 'latin'], 'language'],
    [['--set', 'nois=0'], 'did you mean "noise"'],
    [['--set', 'heldOutPairs=0', '--split', 'new-combinations'], 'no new-combinations document'],
  ])('refuses %j', async (flags, message) => {
    const { code, out, err } = await run('world', 'text', ...flags);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(existsSync('x')).toBe(false);
  });

  it('says where it cannot write', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const { code, err } = await run('world', 'text', '--out', join(file, 'world'), '--documents', '1');
    expect(code).toBe(2);
    expect(err).toContain(file);
  });
});

describe('world text', () => {
  it('prints the documents, a sentence per line', async () => {
    const { out } = await run('world', 'text', '--documents', '3');
    const texts = out
      .trim()
      .split('\n\n')
      .map((lines) => lines.split('\n').join(' '));
    expect(texts).toEqual([0, 1, 2].map((i) => world.text('train', i)));
  });

  it('shows the chain of concepts of every word under --truth', async () => {
    const { out } = await run('world', 'text', '--documents', '1', '--truth', '--language', 'english', '--start', '4');
    const own = new World({ languageShares: [1, 0, 0] });
    const { tokens, concepts } = own.document('train', 4);
    const lines = out.split('\n').filter((line) => line !== '');
    expect(lines).toHaveLength(tokens.length - 1);
    for (const [i, line] of lines.entries()) {
      const chain = own.chainOf(concepts[i + 1]).map((concept) => own.names[concept]);
      expect(line.replace(/\s+/, ' ').trim()).toBe(`${own.vocabulary[tokens[i + 1]]} ${chain.join(' < ')}`.trim());
    }
  });

  it('gives tokens and truth under --json', async () => {
    const { out } = await run('world', 'text', '--documents', '2', '--json');
    const { documents, hash } = JSON.parse(out);
    expect(hash).toBe(world.hash);
    expect(documents.map(({ text }: { text: string }) => text)).toEqual([0, 1].map((i) => world.text('train', i)));
    expect(documents[0].tokens.map(({ id }: { id: number }) => id)).toEqual([...world.document('train', 0).tokens]);
  });
});

describe('world tree', () => {
  it('draws every concept', async () => {
    const { code, out } = await run('world', 'tree');
    expect(code).toBe(0);
    const drawn = out.split('\n').map((line) => line.replace(/^[│├└─ ]+/, ''));
    for (const name of world.names) expect(drawn).toContain(name);
  });

  it('shows what a concept inherits, and its words', async () => {
    const { out } = await run('world', 'tree', '--concept', 'owl');
    expect(out).toContain('owl < raptor < bird < animal < being');
    expect(out).toMatch(/as raptor\n {2}does {3}hunts rodent, fish, snake;/);
    for (const tokens of world.lexicon.words)
      expect(out).toContain(world.vocabulary[tokens[world.taxonomy.find('owl')!][0]]);
    const { out: json } = await run('world', 'tree', '--concept', 'owl', '--json');
    expect(JSON.parse(json)).toMatchObject({ concept: 'owl', above: ['raptor', 'bird', 'animal', 'being'], below: [] });
  });

  it('guesses what an unknown concept meant', async () => {
    const { code, err } = await run('world', 'tree', '--concept', 'foks');
    expect(code).toBe(2);
    expect(err).toContain('did you mean "fox"?');
  });
});
