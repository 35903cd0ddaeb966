import { basename } from 'node:path';
import { z } from 'zod';
import { TesseraError } from '../../base/index.ts';
import type { Outcome, Row, Sample } from '../row.ts';
import { converted, type Format } from './format.ts';
import type { ImageFolder } from './image-folder.ts';
import { llavaFormat } from './llava.ts';
import { imageNames, namedImages } from './names.ts';
import { type PhrasedAnswer, phrasePair } from './phrase-pairs.ts';
import { exchangeRow } from './question.ts';
import { records } from './records.ts';
import { checked } from './schema.ts';
import { refuseUnseen } from './unseen.ts';

const schema = z.object({
  id: z.union([z.string(), z.number()]).nullish(),
  image: imageNames,
  question: z.string(),
  correct_answer: z.string(),
  correct_answer_masked: z.string(),
  hallucinated_answer: z.string(),
  hallucinated_answer_masked: z.string(),
});

/**
 * The pairs of HALVA (Sarkar et al. 2024), `data.json`: a question with a right and a wrong answer, and both once more with
 * `<MASK>` and `</MASK>` around the phrases in which they differ. The answers that are to stay as they are stand in a file
 * of their own in LLaVA's layout, `references`, one to a pair in its order and from its beginning again; where none is
 * named they are the right answers themselves, as in the released code.
 *
 * Faults of a row: `row/schema`, `row/phrases`, `row/unread`, and those of the images and turns.
 */
export const halvaFormat = {
  looks: 'records {question, correct_answer_masked, hallucinated_answer_masked}',
  known: { record: (keys) => keys.has('correct_answer_masked') && keys.has('hallucinated_answer_masked') },
  options: {
    references: { describe: "rows in LLaVA's layout whose answers are to stay as they are", value: 'file' },
  },
  *samples(path, folder, { references }): Generator<Outcome<Sample>> {
    const kept = references === undefined ? undefined : rowsAround(references, folder);
    for (const one of records(path, basename(path), folder.keep)) {
      if ('refused' in one) {
        yield one;
        continue;
      }
      let reference = kept?.next().value;
      for (; reference && 'refused' in reference; reference = kept?.next().value) yield reference;
      const row = reference?.kept;
      yield* converted(() => maskedPair(one.kept.value, one.kept.where, folder, row));
    }
  },
} as const satisfies Format;

/** The rows of a file in order, again and again, those refused once. @throws TesseraError `data/no-rows` */
function* rowsAround(path: string, folder: ImageFolder): Generator<Outcome<Row>, never> {
  for (let round = 0; ; round++) {
    let any = false;
    for (const outcome of llavaFormat.samples(path, folder)) {
      if ('kept' in outcome) {
        any = true;
        yield { kept: outcome.kept.views.row as Row };
      } else if (round === 0) yield outcome;
    }
    if (!any) throw new TesseraError({ code: 'data/no-rows', message: 'no reference row can be used', path });
  }
}

function maskedPair(value: unknown, where: string, folder: ImageFolder, reference: Row | undefined): Sample {
  const { id, image, question, ...record } = checked(schema, value, where);
  const names = namedImages(image, null, where);
  refuseUnseen(value, where, Object.keys(schema.shape), names);
  const chosen = unmasked(record.correct_answer_masked, record.correct_answer, where);
  const rejected = unmasked(record.hallucinated_answer_masked, record.hallucinated_answer, where);
  if (chosen.phrases.length !== rejected.phrases.length) {
    const got = `${chosen.phrases.length} and ${rejected.phrases.length}`;
    throw wrong('the answers have not the same number of phrases', where, got);
  }
  const asked = { id, where, question, names };
  const kept = reference ?? exchangeRow({ ...asked, answer: chosen.text }, folder);
  return phrasePair({ ...asked, chosen, rejected, reference: kept }, folder);
}

/** The text without its marks, and where its phrases stand in it. */
function unmasked(text: string, plain: string, where: string): PhrasedAnswer {
  const phrases: [number, number][] = [];
  let out = '';
  let open: number | undefined;
  for (const piece of text.split(/(<\/?MASK>)/)) {
    const mark = piece === '<MASK>' || piece === '</MASK>';
    if (mark && (piece === '<MASK>') === (open !== undefined)) throw unpaired(text, where);
    if (!mark) out += piece;
    else if (open === undefined) open = out.length;
    else {
      phrases.push([open, out.length]);
      open = undefined;
    }
  }
  if (open !== undefined || phrases.length === 0) throw unpaired(text, where);
  if (out.trim() === plain.trim()) return { text: out, phrases };
  throw wrong('the answer without its marks is another text', where, JSON.stringify(out.slice(0, 80)));
}

function unpaired(text: string, where: string): TesseraError {
  return wrong('the marks of the phrases do not pair, or there are none', where, JSON.stringify(text.slice(0, 80)));
}

function wrong(message: string, path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'row/phrases',
    message,
    path,
    expected: 'both answers with <MASK> and </MASK> around as many phrases, and the same answers without',
    got,
  });
}
