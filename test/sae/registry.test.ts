import { expect, it } from 'vitest';
import { architectureNamed, architectures, registerArchitecture } from '../../src/sae/registry.ts';

it('names are unique and lead to their architecture', () => {
  const names = architectures.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const architecture of architectures) expect(architectureNamed(architecture.name)).toBe(architecture);
});

it('an unknown name is an error that lists the known ones', () => {
  expect(() => architectureNamed('top-k')).toThrow(/did you mean "topk"\? Known: .*h-sae/);
});

it('the name of an architecture of your own must be free', () => {
  const before = [...architectures];
  expect(() => registerArchitecture({ ...architectureNamed('topk') })).toThrow('there is an architecture topk already');
  expect(architectures).toEqual(before);
});
