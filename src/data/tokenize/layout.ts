import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { AddedToken, Sought } from './added.ts';
import { parseTokenizerConfig, parseTokenizerFile, type TokenizerFiles } from './files.ts';
import { foreignPatterns } from './patterns.ts';
import type { Script, Spelling } from './surface.ts';
import { checkRules, checkVocabulary } from './vocabulary.ts';

const addedToken = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string().min(1).max(1024),
  special: z.boolean().default(false),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
});

const tokenizerSchema = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
  decoder: z.unknown(),
  model: z.looseObject({
    type: z.enum(['BPE', 'Unigram', 'WordPiece']).optional(),
    end_of_word_suffix: z.string().nullish(),
    continuing_subword_prefix: z.string().nullish(),
    unk_token: z.string().nullish(),
    vocab: z.union([z.record(z.string(), z.int().nonnegative()), z.array(z.tuple([z.string(), z.number()]))]),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])).optional(),
  }),
});

/** What tessera itself needs to know of a tokenizer's two files. */
export interface Layout extends Script {
  readonly tokenizer: Record<string, unknown>;
  readonly config: Record<string, unknown>;
  readonly added: readonly AddedToken[];
  /** What the model itself may turn text into, without the added tokens. */
  readonly pieces: ReadonlySet<string>;
  /** Added tokens that any text may hold: those looked for in the text itself, and those in normalized text. */
  readonly sought: {
    readonly text: readonly Sought[];
    readonly normalized: readonly AddedToken[];
    /** Those in normalized text that only a template may write. */
    readonly marked: readonly AddedToken[];
  };
  /** Contents that only a template may turn into their id. */
  readonly special: ReadonlySet<string>;
  /** Which space of a decoded text is the vocabulary's and not the text's. */
  readonly ownSpace: 'first' | 'last' | undefined;
  /** What stands for a word that a vocabulary of word pieces lacks. */
  readonly unknownWord: string | undefined;
  /** Whether it has patterns whose time is not known, so that encoding needs a limit. */
  readonly untimed: boolean;
}

/** Checks and summarises `tokenizer.json` and `tokenizer_config.json`. */
export function readLayout(files: TokenizerFiles): Layout {
  const tokenizer = parseTokenizerFile(files, 'tokenizer.json');
  const config = parseTokenizerConfig(files);
  const parsed = tokenizerSchema.safeParse(tokenizer);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new TesseraError({
      code: 'tokenize/layout',
      message: issue?.message ?? 'unexpected layout',
      path: `tokenizer.json ${issue?.path.join('.') ?? ''}`,
    });
  }
  checkVocabulary(parsed.data.model, parsed.data.added_tokens);
  checkRules([parsed.data.normalizer, parsed.data.pre_tokenizer]);
  const { added_tokens: added, decoder, pre_tokenizer, normalizer, model } = parsed.data;
  const spelled = spellingOf(JSON.stringify([pre_tokenizer, normalizer, decoder]), model);
  const special = new Set(added.filter((token) => token.special).map((token) => token.content));
  for (const content of declaredSpecials(config)) special.add(content);
  const untimed = foreignPatterns([normalizer, pre_tokenizer]).length > 0;
  const sought = soughtIn(added, special);
  const composes = JSON.stringify(normalizer ?? null).includes('"type":"NFC"');
  return {
    composes,
    tokenizer,
    config,
    added,
    pieces: piecesOf(model.vocab),
    sought,
    special,
    ...spelled,
    ownSpace: ownSpaceOf(spelled.spelling, decoder),
    unknownWord: spelled.spelling === 'word-pieces' ? (model.unk_token ?? undefined) : undefined,
    untimed,
  };
}

function piecesOf(vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[]): Set<string> {
  return new Set(Array.isArray(vocab) ? vocab.map(([piece]: readonly [string, number]) => piece) : Object.keys(vocab));
}

function soughtIn(added: readonly AddedToken[], special: ReadonlySet<string>): Layout['sought'] {
  const ordinary = added.filter((token) => !special.has(token.content));
  const asTheyAre = ordinary.filter((token) => !token.normalized).map((token) => ({ token, content: token.content }));
  return {
    text: asTheyAre,
    normalized: ordinary.filter((token) => token.normalized),
    marked: added.filter((token) => special.has(token.content) && token.normalized),
  };
}

type Model = z.infer<typeof tokenizerSchema>['model'];

function spellingOf(parts: string, model: Model): Pick<Script, 'spelling' | 'wordMark'> {
  const { type, end_of_word_suffix: suffix, continuing_subword_prefix: prefix } = model;
  if (type === 'WordPiece' && prefix) return { spelling: 'word-pieces', wordMark: prefix };
  const byteLevel = parts.includes('"ByteLevel"');
  if (suffix && byteLevel) return { spelling: 'byte-level-words', wordMark: suffix };
  if (!suffix && byteLevel) return { spelling: 'byte-level', wordMark: '' };
  if (!suffix && parts.includes('▁')) return { spelling: 'metaspace', wordMark: '' };
  throw new TesseraError({
    code: 'tokenize/unsupported',
    message: 'the tokenizer spells text in a way tessera cannot trace back to characters',
    path: 'tokenizer.json',
    expected: 'a vocabulary of SentencePiece (▁), a byte-level one, or WordPiece',
  });
}

function ownSpaceOf(spelling: Spelling, decoder: unknown): Layout['ownSpace'] {
  if (spelling === 'byte-level-words') return 'last';
  const strips = spelling === 'metaspace' && /"type":"(Strip|Metaspace)"/.test(JSON.stringify(decoder ?? null));
  return strips || spelling === 'word-pieces' ? 'first' : undefined;
}

/** The content of a token entry of `tokenizer_config.json`: a string, or an object with `content`. */
export function tokenContent(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry;
  const content = (entry as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}

function declaredSpecials(config: Record<string, unknown>): string[] {
  const extra = config.extra_special_tokens;
  const named = Object.entries(config).filter(([key]) => /^[a-z]+_token$/.test(key) && !key.startsWith('add_'));
  const entries = [
    ...named.map(([, entry]) => entry),
    ...(Array.isArray(config.additional_special_tokens) ? config.additional_special_tokens : []),
    ...(typeof extra === 'object' && extra !== null ? Object.values(extra) : []),
  ];
  return entries.map(tokenContent).filter((content) => content !== undefined);
}
