import type { Background } from '../attributes.ts';
import type { Description, Place, Relation, Truth } from '../predicates.ts';
import { anyTrue, count, exists, matches, select, someInPlace, someRelated } from '../predicates.ts';
import type { Scene } from '../scene.ts';

/** Something a sentence says of a scene, that is true, false or inside a margin. */
export type Claim = { readonly negated: boolean } & (
  | { readonly kind: 'exists'; readonly of: Description }
  | { readonly kind: 'count'; readonly of: Description; readonly number: number }
  | { readonly kind: 'attribute'; readonly of: Description; readonly is: Description }
  | { readonly kind: 'place'; readonly of: Description; readonly place: Place }
  | { readonly kind: 'relation'; readonly of: Description; readonly relation: Relation; readonly to: Description }
  | { readonly kind: 'background'; readonly background: Background }
);

/** Whether a claim holds. Ambiguous references hold when any assignment does. */
export function claimTruth(scene: Scene, claim: Claim): Truth {
  const truth = affirmed(scene, claim);
  return truth === undefined ? undefined : truth !== claim.negated;
}

function affirmed(scene: Scene, claim: Claim): Truth {
  switch (claim.kind) {
    case 'exists':
      return exists(scene, claim.of);
    case 'count':
      return count(scene, claim.of) === claim.number;
    case 'attribute':
      return anyTrue(select(scene, claim.of).map((object) => matches(object, claim.is)));
    case 'place':
      return someInPlace(scene, claim.of, claim.place);
    case 'relation':
      return someRelated(scene, claim.relation, claim.of, claim.to);
    case 'background':
      return scene.background === claim.background;
  }
}
