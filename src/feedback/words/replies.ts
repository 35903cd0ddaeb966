import { asTesseraError, type Fault, TesseraError } from '../../base/index.ts';
import type { Outcome } from '../../data/index.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../files/index.ts';
import { type Aspect, aspects, type Correction, type Ratings } from '../judge.ts';

/** A reply cannot be read: a low rating would be made up, so it gives none. */
function unread(path: string, message: string, got: unknown): { readonly refused: Fault } {
  const text = typeof got === 'string' ? got : JSON.stringify(got);
  return { refused: { code: 'feedback/reply', message, path, got: (text ?? 'nothing').slice(0, 120) } };
}

/**
 * The ratings in a reply `{"answers": [{"helpfulness": {"rating": 4, "rationale": "…"}, …}, …]}`, one entry an answer. A
 * rating may be a number or its digit; an aspect whose rating is none of 1 to 5 is left out, and an answer without any
 * is refused.
 */
export function readRatings(reply: string, answers: number, path: string): Outcome<readonly Outcome<Ratings>[]> {
  const json = objectIn(reply, path);
  if ('refused' in json) return json;
  const entries = json.kept.answers;
  if (!Array.isArray(entries) || entries.length !== answers) {
    return unread(path, `the judge does not rate the ${answers} answers that it was shown`, reply);
  }
  return { kept: entries.map((entry, i) => ratingsOf(entry, `${path} answer ${i + 1}`)) };
}

function ratingsOf(entry: JsonValue, path: string): Outcome<Ratings> {
  if (!isJsonObject(entry)) return unread(path, 'the judge gives no ratings for the answer', entry);
  const rated = (Object.keys(aspects) as Aspect[]).flatMap((aspect) => {
    const given = entry[aspect];
    const mark = isJsonObject(given) ? given.rating : given;
    const told = typeof mark === 'number' || typeof mark === 'string';
    return told && /^\s*[1-5]\s*$/.test(`${mark}`) ? [[aspect, Number(mark)]] : [];
  });
  if (rated.length === 0) return unread(path, 'the judge gives no rating from 1 to 5 for the answer', entry);
  return { kept: Object.fromEntries(rated) as Ratings };
}

/**
 * The corrections in a reply `{"corrections": [{"wrong": "…", "right": "…"}, …]}`. What is wrong must stand in the answer
 * once and word for word, and no two corrections may share words.
 */
export function readCorrections(reply: string, answer: string, path: string): Outcome<readonly Correction[]> {
  const json = objectIn(reply, path);
  if ('refused' in json) return json;
  const entries = json.kept.corrections;
  if (!Array.isArray(entries)) return unread(path, 'the judge gives no list of corrections', reply);
  const found: Correction[] = [];
  for (const entry of entries) {
    const { wrong, right } = isJsonObject(entry) ? entry : {};
    if (typeof wrong !== 'string' || typeof right !== 'string' || wrong === '') {
      return unread(path, 'a correction says not what is wrong and what is right', entry);
    }
    const start = answer.indexOf(wrong);
    if (start < 0) return unread(path, 'what the judge corrects is not in the answer', wrong);
    if (answer.indexOf(wrong, start + 1) >= 0) return unread(path, 'what the judge corrects is there twice', wrong);
    found.push({ start, end: start + wrong.length, text: right });
  }
  found.sort((a, b) => a.start - b.start);
  const clash = found.find(({ start }, i) => i > 0 && start < (found[i - 1] as Correction).end);
  return clash ? unread(path, 'two corrections are of the same words', reply) : { kept: found };
}

/** The one JSON object of a reply; what stands around it, such as a fence, is passed over. */
function objectIn(reply: string, path: string): Outcome<JsonObject> {
  const [from, to] = [reply.indexOf('{'), reply.lastIndexOf('}')];
  if (from < 0 || to < from) return unread(path, 'the judge replies with no JSON object', reply);
  try {
    const value = parseJson(reply.slice(from, to + 1), { file: path, area: 'feedback' });
    return { kept: value as JsonObject };
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    return unread(path, asTesseraError(error, { code: 'feedback/reply' }).message, reply);
  }
}
