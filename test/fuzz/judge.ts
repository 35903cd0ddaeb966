import { TesseraError } from '../../src/base/index.ts';
import { callOfBody } from '../../src/feedback/http/reply.ts';
import { readCorrections, readRatings } from '../../src/feedback/words/replies.ts';
import { spoilJson } from './models.ts';
import { type Target, textOf } from './target.ts';

const answer = 'There is a red ball on the left and a small cup.';
const rating = { rating: 4, rationale: 'It is there.' };
const ratings = {
  answers: [1, 2].map(() => ({ helpfulness: rating, visual_faithfulness: rating, ethical_considerations: 5 })),
};
const corrections = {
  corrections: [
    { wrong: 'red', right: 'blue' },
    { wrong: 'a small cup', right: 'a large cup' },
  ],
};

/** What a judge behind an API sends, with the words of its reply spoilt, or all around them. */
export const judge: Target = {
  name: 'judge',
  onDisk: false,
  make(random) {
    const said = random.pick([ratings, corrections]);
    const content = random.chance(0.6) ? new TextDecoder().decode(spoilJson(said, random)) : JSON.stringify(said);
    const whole = { id: '1', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }] };
    const sound = random.chance(0.5);
    const body = sound ? new TextEncoder().encode(JSON.stringify(whole)) : spoilJson(whole, random);
    return new Map([['body', body]]);
  },
  read(files) {
    const call = callOfBody(textOf(files, 'body'), 'http://judge');
    if (call.kind !== 'reply') throw new TesseraError(call.fault);
    const rated = readRatings(call.text, 2, '1');
    const found = readCorrections(call.text, answer, '1');
    const marks = 'kept' in rated ? rated.kept.flatMap((one) => ('kept' in one ? Object.values(one.kept) : [])) : [];
    const spans = 'kept' in found ? found.kept : [];
    const inBounds =
      marks.every((mark) => [1, 2, 3, 4, 5].includes(mark)) &&
      spans.every(({ start, end }, i) => start < end && end <= answer.length && start >= (spans[i - 1]?.end ?? 0));
    // A reply is one or the other.
    if (inBounds && 'refused' in rated && 'refused' in found) throw new TesseraError(rated.refused);
    return inBounds;
  },
  verdict: (_, read) => (read === undefined ? undefined : read === true),
};
