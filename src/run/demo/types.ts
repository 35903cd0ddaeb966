import type { TrainResult } from '../types.ts';

export interface DemoOptions {
  /** Of the recipe that is trained, as on the command line. */
  readonly overrides: readonly string[];
  /** Hears what happens, as it does. */
  tell(event: DemoEvent): void;
}

/** An image that no training has shown, and what is on it. */
export interface DemoImage {
  readonly path: string;
  readonly truth: string;
}

/** A question about an image with the answer that was given. */
export interface DemoAnswer {
  readonly question: string;
  readonly answer: string;
  /** What is really there. */
  readonly truth: string;
  /** Whether every claim of the answer holds. */
  readonly right: boolean;
  /** For a description: objects that it names rightly, of those there. */
  readonly covers?: { readonly named: number; readonly of: number };
}

export type DemoEvent =
  /** About how long each act takes. */
  | { readonly kind: 'welcome'; readonly seconds: readonly [number, number, number] }
  | { readonly kind: 'act'; readonly act: 1 | 2 | 3; readonly seconds: number }
  /** A trained model's answer. */
  | { readonly kind: 'shown'; readonly image: DemoImage; readonly answer: DemoAnswer }
  /** Where training goes: a new folder, one that is gone on with, or a new one beside a folder that is taken. */
  | { readonly kind: 'folder'; readonly folder: string; readonly goesOn: boolean; readonly taken: readonly string[] }
  /** The answers of the model that is trained, by how many of its steps are done. */
  | {
      readonly kind: 'answers';
      readonly done: number;
      readonly steps: number;
      readonly image: DemoImage;
      readonly answers: readonly DemoAnswer[];
    };

/** What the demo did. */
export interface DemoResult {
  readonly training: TrainResult;
  /** Answers of the trained model that comes with the package. */
  readonly shown: readonly DemoAnswer[];
  readonly image: DemoImage;
  /** The same questions about that image, before and after training. */
  readonly before: readonly DemoAnswer[];
  readonly answers: readonly DemoAnswer[];
  /** Of images drawn by seed, those of which all questions were answered rightly. */
  readonly drawn?: { readonly images: number; readonly right: number };
  readonly seconds: number;
}
