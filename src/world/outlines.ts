import type { ShapeName } from './attributes.ts';

/** A silhouette inside its bounding box: u to the right and v down, both from 0 to 1. Only exact arithmetic is used. */
export interface Outline {
  /** Width and height of the box as shares of its longer side. */
  readonly aspect: readonly [number, number];
  readonly inside: (u: number, v: number) => boolean;
}

const disc = (u: number, v: number, cu: number, cv: number, r: number): boolean =>
  (u - cu) * (u - cu) + (v - cv) * (v - cv) <= r * r;

/** Even-odd rule over a closed polygon. */
function polygon(points: readonly (readonly [number, number])[]): Outline['inside'] {
  return (u, v) => {
    let inside = false;
    let [pu, pv] = points[points.length - 1] as readonly [number, number];
    for (const [qu, qv] of points) {
      if (qv > v !== pv > v && u < ((pu - qu) * (v - qv)) / (pv - qv) + qu) inside = !inside;
      [pu, pv] = [qu, qv];
    }
    return inside;
  };
}

const starPoints = polygon([
  [0.5, 0],
  [0.64, 0.37],
  [1, 0.38],
  [0.72, 0.62],
  [0.81, 1],
  [0.5, 0.78],
  [0.19, 1],
  [0.28, 0.62],
  [0, 0.38],
  [0.36, 0.37],
]);

const heartTip = polygon([
  [0.03, 0.4],
  [0.25, 0.28],
  [0.75, 0.28],
  [0.97, 0.4],
  [0.5, 1],
]);

const bottleBody = polygon([
  [0.3, 0],
  [0.7, 0],
  [0.7, 0.3],
  [1, 0.48],
  [1, 1],
  [0, 1],
  [0, 0.48],
  [0.3, 0.3],
]);

const cupBody = polygon([
  [0, 0],
  [0.7, 0],
  [0.6, 1],
  [0.1, 1],
]);

const arrowBody = polygon([
  [0, 0.32],
  [0.5, 0.32],
  [0.5, 0],
  [1, 0.5],
  [0.5, 1],
  [0.5, 0.68],
  [0, 0.68],
]);

export const outlines: { readonly [S in ShapeName]: Outline } = {
  ball: { aspect: [1, 1], inside: (u, v) => disc(u, v, 0.5, 0.5, 0.5) },
  cube: { aspect: [0.92, 0.92], inside: () => true },
  cone: { aspect: [1, 1], inside: (u, v) => Math.abs(u - 0.5) <= v / 2 },
  ring: { aspect: [1, 1], inside: (u, v) => disc(u, v, 0.5, 0.5, 0.5) && !disc(u, v, 0.5, 0.5, 0.27) },
  star: { aspect: [1, 1], inside: starPoints },
  heart: {
    aspect: [1, 1],
    inside: (u, v) => disc(u, v, 0.26, 0.27, 0.27) || disc(u, v, 0.74, 0.27, 0.27) || heartTip(u, v),
  },
  cross: { aspect: [1, 1], inside: (u, v) => Math.abs(u - 0.5) <= 0.17 || Math.abs(v - 0.5) <= 0.17 },
  moon: {
    aspect: [0.75, 1],
    inside: (u, v) => disc(u * 0.75, v, 0.5, 0.5, 0.5) && !disc(u * 0.75, v, 0.74, 0.5, 0.44),
  },
  arrow: { aspect: [1, 0.8], inside: arrowBody },
  cup: {
    aspect: [1, 0.9],
    inside: (u, v) => cupBody(u, v) || (u > 0.6 && disc(u, v, 0.68, 0.4, 0.32) && !disc(u, v, 0.68, 0.4, 0.16)),
  },
  bottle: { aspect: [0.6, 1], inside: bottleBody },
  mushroom: {
    aspect: [1, 1],
    inside: (u, v) => (v <= 0.55 && disc(u, v / 1.1, 0.5, 0.5, 0.5)) || (v > 0.55 && Math.abs(u - 0.5) <= 0.19),
  },
};
