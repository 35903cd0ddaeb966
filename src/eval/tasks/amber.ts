import { z } from 'zod';
import { asTesseraError, type Fault } from '../../base/index.ts';
import type { Answer } from '../../data/index.ts';
import { parseJson, readText } from '../../files/index.ts';
import {
  type AmberTruth,
  type AmberWords,
  amberNouns,
  amberWords,
  type DiscriminativeCounts,
  discriminativeCounts,
  discriminativeScores,
  firstYesNo,
  type GenerativeCounts,
  generativeCounts,
  generativeScores,
} from '../metrics/amber.ts';
import { wordCount } from '../metrics/chair.ts';
import type { Tally } from '../metrics/tally.ts';
import { type ImageSource, openImages } from './images.ts';
import { collect } from './rows.ts';
import { firstImages, type Item, type Metric, shareMetric, type Task, type Verdict } from './task.ts';

/** AMBER's files, as its repository has them. */
export interface AmberSource extends ImageSource {
  /** `query_all.json`, or one with some of its queries. */
  readonly queries: string;
  readonly annotations: string;
  readonly relation: string;
  readonly safeWords: string;
}

export interface AmberOptions {
  /** Added after yes/no questions; nothing unless told. */
  readonly suffix?: string;
  /** 128 unless told. */
  readonly maxTokens?: number;
}

/** What each kind of yes/no question is about. */
const dimensions: Readonly<Record<string, string>> = {
  'discriminative-hallucination': 'existence',
  'discriminative-attribute-state': 'state',
  'discriminative-attribute-number': 'number',
  'discriminative-attribute-action': 'action',
  'discriminative-relation': 'relation',
  // Some of the published annotations call it so.
  relation: 'relation',
};

const words = z.array(z.string());
const queries = z.array(z.object({ id: z.int(), image: z.string(), query: z.string() }));
const annotations = z.array(
  z.union([
    z.object({ id: z.int(), type: z.literal('generative'), truth: words, hallu: words }),
    z.object({ id: z.int(), type: z.enum(Object.keys(dimensions)), truth: z.enum(['yes', 'no']) }),
  ]),
);
const relation = z.record(z.string(), words);

type Annotation = z.infer<typeof annotations>[number];

const metrics: readonly Metric[] = [
  shareMetric('amber', 'AMBER', 'mean of 1 - CHAIR and F1', 'high', true),
  shareMetric('chair', 'CHAIR', 'share of the objects named that are not there', 'low', true),
  shareMetric('cover', 'Cover', 'share of the objects there that are named', 'high', true),
  shareMetric('hal', 'Hal', 'share of descriptions that name a thing that is not there', 'low', true),
  shareMetric('cog', 'Cog', 'share of the likely inventions that are named', 'low', true),
  shareMetric(
    'cogNouns',
    'Cog of nouns',
    'share of the objects named that are likely inventions, as the paper has it',
    'low',
  ),
  { ...shareMetric('length', 'length', 'mean words of a description', 'neither', true), unit: 'words' },
  shareMetric('accuracy', 'accuracy', 'share of questions answered rightly', 'high', true),
  shareMetric('f1', 'F1', 'harmonic mean of precision and recall, no being the positive class', 'high', true),
  shareMetric('precision', 'precision', 'share of the no answers that are right', 'high'),
  shareMetric('recall', 'recall', 'share of the questions with the answer no that get it', 'high'),
  shareMetric('unclear', 'unclear', 'share of answers that begin with neither yes nor no, which are wrong', 'low'),
];

/**
 * AMBER: hallucination in descriptions and in yes/no questions without a judge (Wang et al. 2023). Objects are compared
 * by AMBER's own lists of words; its comparison of vectors of words is left out, so that unlisted synonyms count as made
 * up.
 */
export function amberTask(source: AmberSource, { suffix = '', maxTokens = 128 }: AmberOptions = {}): Task {
  return {
    name: 'amber',
    describe: 'Asks for a description and whether things are there, how they look, how many there are and how they lie',
    prompt: `{question}${suffix}`,
    maxTokens,
    groups: ['all', 'generative', 'discriminative', ...new Set(Object.values(dimensions))],
    metrics,
    load: async (limit) => loadQueries(source, suffix, limit),
    score,
  };
}

/** All of a group's counts are of descriptions or of questions, but where both are together. */
function score(sum: Tally): Readonly<Record<string, number>> {
  const said = sum.captions ? generativeScores(sum as GenerativeCounts) : undefined;
  const told = sum.asked ? discriminativeScores(sum as DiscriminativeCounts) : undefined;
  if (said && told) return { amber: (1 - said.chair + told.f1) / 2 };
  return said ?? told ?? {};
}

function loadQueries(source: AmberSource, suffix: string, limit?: number): readonly Item[] {
  const find = openImages(source);
  const known = new Map(read(source.annotations, annotations).map((one) => [one.id, one]));
  const vocabulary = vocabularyOf(source);
  const rows = collect(
    read(source.queries, queries).map(({ id, image, query }) => {
      const where = `${source.queries} query ${id}`;
      const [file, annotation] = [find(image, where), known.get(id)];
      if (typeof file !== 'string') return { faults: [file] };
      return annotation ? { ok: { annotation, file, query } } : { faults: [unannotated(where, source.annotations)] };
    }),
  );
  const items = rows.map(
    ({ annotation, file, query }): Item => ({
      id: `${annotation.id}`,
      image: file,
      prompt: annotation.type === 'generative' ? query : query + suffix,
      truth: typeof annotation.truth === 'string' ? annotation.truth : annotation.truth.join(', '),
      judge: ({ text }: Answer) => judge(text, annotation, vocabulary),
    }),
  );
  return firstImages(items, (item) => item.image, limit);
}

function vocabularyOf({ relation: associations, safeWords }: AmberSource): AmberWords {
  const safe = readText(safeWords, { code: 'eval/unreadable' })
    .split('\n')
    .map((line) => line.trim());
  return amberWords(new Map(Object.entries(read(associations, relation))), safe.filter(Boolean));
}

function judge(answer: string, annotation: Annotation, vocabulary: AmberWords): Verdict {
  if (annotation.type === 'generative') return judgeDescription(answer, annotation as AmberTruth, vocabulary);
  const truth = annotation.truth as 'yes' | 'no';
  const said = firstYesNo(answer);
  const tally = discriminativeCounts(said, truth);
  const dimension = dimensions[annotation.type] as string;
  const tallies = { all: tally, discriminative: tally, [dimension]: tally };
  return { correct: said === truth, read: said ?? 'neither yes nor no', tallies, invented: [] };
}

function judgeDescription(answer: string, truth: AmberTruth, vocabulary: AmberWords): Verdict {
  const nouns = amberNouns(answer, vocabulary);
  const { counts, unsafe } = generativeCounts(nouns, truth, vocabulary, wordCount(answer));
  return {
    // Nothing false is no merit of a description that names nothing.
    correct: unsafe.length === 0 && nouns.length > 0,
    covers: { named: counts.covered, of: counts.present },
    read: nouns.map(({ word }) => word).join(', '),
    tallies: { all: counts, generative: counts },
    invented: unsafe.map(({ start, end }) => ({ start, end })),
  };
}

function read<T>(path: string, schema: z.ZodType<T>): T {
  const found = schema.safeParse(parseJson(readText(path, { code: 'eval/unreadable' }), { file: path, area: 'eval' }));
  if (found.success) return found.data;
  throw asTesseraError(found.error, { code: 'eval/row', path, expected: 'a file of AMBER, as its repository has it' });
}

function unannotated(path: string, expected: string): Fault {
  return {
    code: 'eval/unannotated',
    message: 'the query has no annotation',
    path,
    expected: `its number in ${expected}`,
  };
}
