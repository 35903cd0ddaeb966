import { nameObjects } from '../../eval/index.ts';
import { type Claim, claimTruth, parseClaims, type Scene } from '../../world/index.ts';

/** Something that an answer says of a scene. */
export interface Statement {
  /** The characters of the answer that say it: a phrase that names things, or else a sentence. */
  readonly start: number;
  readonly end: number;
  readonly true: boolean;
}

/** An answer held against a scene. */
export interface Reading {
  readonly statements: readonly Statement[];
  /** Objects that are named rightly, of those there. */
  readonly covered: number;
  readonly objects: number;
  /** The characters that each sentence takes, and whether it makes a claim that can be read. */
  readonly sentences: readonly { readonly start: number; readonly end: number; readonly read: boolean }[];
}

type Sentence = ReturnType<typeof parseClaims>['sentences'][number];

/**
 * Every statement of an answer that a scene can tell to be true or false. A phrase names things, each of which needs an
 * object of its own; numbers, places, relations and the table are statements beside. What is said further of a thing
 * that is not there is no second false statement.
 */
export function readAnswer(answer: string, scene: Scene): Reading {
  const { mentions, sentences } = parseClaims(answer);
  const naming = nameObjects(mentions, scene.objects);
  const amiss = new Set(naming.amiss);
  const named = mentions.map((mention) => ({ start: mention.start, end: mention.end, true: !amiss.has(mention) }));
  const further = sentences.flatMap((sentence) =>
    sentence.claims
      .filter((claim) => !isNaming(claim) && !naming.amiss.some(({ of }) => speaksOf(claim, of)))
      .flatMap((claim) => statementOf(claim, sentence, scene)),
  );
  return {
    statements: [...named, ...further].sort((a, b) => a.start - b.start || a.end - b.end),
    covered: naming.covered,
    objects: scene.objects.length,
    sentences: sentences.map(({ start, end, claims }) => ({ start, end, read: claims.length > 0 })),
  };
}

/** What the phrases that name things already tell. */
function isNaming(claim: Claim): boolean {
  return claim.kind === 'exists' && !claim.negated && claim.of.shape !== undefined;
}

function speaksOf(claim: Claim, of: object): boolean {
  const things = claim.kind === 'background' ? [] : claim.kind === 'relation' ? [claim.of, claim.to] : [claim.of];
  return things.some((thing) => JSON.stringify(thing) === JSON.stringify(of));
}

/** Nothing where the truth lies inside a margin. */
function statementOf(claim: Claim, { start, end }: Sentence, scene: Scene): Statement[] {
  const truth = claimTruth(scene, claim);
  return truth === undefined ? [] : [{ start, end, true: truth }];
}
