/** Which concepts the grammar treats in their own way. All of them may be missing from a world that was cut. */
import type { Taxonomy } from './taxonomy.ts';
import type { Pronoun, Relation } from './meaning.ts';

const HE = 'father son grandfather king prince'.split(' ');
const SHE = 'mother daughter grandmother queen princess'.split(' ');
/** Nouns without an indefinite article. */
const MASS = 'material drink meat fodder rice wheat corn soup stew cabbage lettuce bread'.split(' ');
/** Kinds that have no indefinite article either, though their members do. */
const MASS_KINDS =
  'clothing furniture livestock poultry cookware tableware headwear footwear food citrus greens percussion greenery wild-place time'.split(
    ' ',
  );
const ON = 'highland street bridge beach riverbank field farm'.split(' ');
const AT = 'terminal market school sea lake workplace'.split(' ');

export class Kinds {
  readonly #taxonomy: Taxonomy;
  /** `[concepts]` */
  readonly isAnimate: Uint8Array;
  readonly isPerson: Uint8Array;
  readonly isPlace: Uint8Array;
  readonly isMass: Uint8Array;
  /** Properties of the mind, which can be reasons. */
  readonly isMental: Uint8Array;
  /** Verbs of saying that something is so. */
  readonly isReporting: Uint8Array;
  /** `[concepts]` relation of what is found at a place. */
  readonly relation: readonly Relation[];
  /** `[concepts]` what kind of property it is: colour of red. */
  readonly attribute: Int32Array;
  readonly #pronoun: readonly (Pronoun | undefined)[];

  constructor(taxonomy: Taxonomy) {
    this.#taxonomy = taxonomy;
    this.isPerson = this.#below('person');
    this.isAnimate = this.#below('animal', 'person');
    this.isPlace = this.#below('place');
    this.isMass = this.#below(...MASS);
    for (const name of MASS_KINDS) {
      const kind = taxonomy.find(name);
      if (kind !== undefined && taxonomy.names[kind] === name) this.isMass[kind] = 1;
    }
    this.isMental = this.#below('mental');
    this.isReporting = this.#below('claims');
    this.attribute = Int32Array.from(taxonomy.names, (_, c) => taxonomy.chainOf(c).at(-3) ?? c);
    const [on, at, he, she] = [ON, AT, HE, SHE].map((names) => this.#below(...names));
    this.relation = taxonomy.names.map((_, c) => (on[c] ? 'on' : at[c] ? 'at' : 'in'));
    this.#pronoun = taxonomy.names.map((_, c) => (he[c] ? 'he' : she[c] ? 'she' : this.isPerson[c] ? undefined : 'it'));
  }

  /** Pronoun of a concept, undefined for persons who may be he or she. */
  pronounOf(concept: number): Pronoun | undefined {
    return this.#pronoun[concept];
  }

  /** `[concepts]` 1 at and below the named concepts. */
  #below(...names: readonly string[]): Uint8Array {
    const mask = new Uint8Array(this.#taxonomy.size);
    for (const name of names) {
      const kind = this.#taxonomy.find(name);
      // A concept that was cut away does not make the whole kind above it special.
      if (kind === undefined || this.#taxonomy.names[kind] !== name) continue;
      for (let c = 0; c < mask.length; c++) if (this.#taxonomy.isA(c, kind)) mask[c] = 1;
    }
    return mask;
  }
}
