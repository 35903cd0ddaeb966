/** A stretch of the prompt with one origin. A `special` segment is one special token, printed by the template. */
export interface Segment {
  readonly text: string;
  /** Whether the model has to produce it. */
  readonly supervised: boolean;
  readonly source: 'template' | 'message' | 'special';
  /** For a message's text: the turn it belongs to. */
  readonly turn?: number;
  /** For an image placeholder: which of the row's images it stands for. */
  readonly image?: number;
}

/** The special tokens a template may print. */
export interface ChatTokens {
  readonly bos?: string;
  readonly eos?: string;
  readonly specials: readonly string[];
  readonly image?: string;
}
