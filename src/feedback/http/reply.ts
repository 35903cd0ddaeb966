import { type Fault, TesseraError } from '../../base/index.ts';
import { isJsonObject, type JsonValue, parseJson } from '../../files/index.ts';

/** What became of one call. */
export type Call =
  | { readonly kind: 'reply'; readonly text: string }
  /** The server has nothing to say of this item, and would not another time. */
  | { readonly kind: 'refused'; readonly fault: Fault }
  /** Another try may do. @param wait seconds that the server asks for */
  | { readonly kind: 'again'; readonly fault: Fault; readonly wait?: number }
  /** No call of this kind will do. */
  | { readonly kind: 'never'; readonly fault: Fault };

/** Statuses that tell of a request and not of the server; 413 and 422 among them, of an image that is too large. */
const ofItem = [400, 413, 415, 422];
const passing = [408, 409, 425, 429];

/** What an HTTP status says that is no success; undefined for one that is. */
export function callOfStatus(status: number, headers: Headers, body: string, url: string): Call | undefined {
  if (status >= 200 && status < 300) return undefined;
  const got = `${status}${body.trim() === '' ? '' : `: ${body.trim().slice(0, 200)}`}`;
  const fault = (code: string, message: string, remedy?: string): Fault => ({
    code: `feedback/${code}`,
    message,
    path: url,
    got,
    ...(remedy !== undefined && { remedy }),
  });
  if (passing.includes(status) || status >= 500) {
    const again = fault('http-busy', 'the judge cannot answer now', 'the same command goes on once it can');
    return { kind: 'again', fault: again, ...waitOf(headers) };
  }
  if (status >= 300 && status < 400) {
    const to = headers.get('location') ?? 'nowhere';
    return {
      kind: 'never',
      fault: fault('http-redirect', `the judge has moved to ${to.slice(0, 200)}`, 'set feedback.judge.url'),
    };
  }
  if (status === 401 || status === 403) {
    return {
      kind: 'never',
      fault: fault(
        'http-key',
        'the judge does not take the key',
        'feedback.judge.key_env names the environment variable that holds it',
      ),
    };
  }
  if (ofItem.includes(status))
    return { kind: 'refused', fault: fault('http-refused', 'the judge refuses the request') };
  return {
    kind: 'never',
    fault: fault('http-status', 'the judge is not found there', 'check feedback.judge.url and feedback.judge.model'),
  };
}

/** `Retry-After` in seconds, or as a date. */
function waitOf(headers: Headers): { wait?: number } {
  const value = headers.get('retry-after');
  if (value === null) return {};
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? { wait: Math.max(0, seconds) } : {};
}

/** The text of a chat completion. A body that is no JSON was cut short on its way; one of another form stays so. */
export function callOfBody(body: string, url: string): Call {
  let json: JsonValue;
  try {
    json = parseJson(body, { file: url, area: 'feedback' });
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    return { kind: 'again', fault: malformed('the reply of the judge is no JSON', url, body) };
  }
  const choice = isJsonObject(json) && Array.isArray(json.choices) ? json.choices[0] : undefined;
  const message = isJsonObject(choice) ? choice.message : undefined;
  if (!isJsonObject(choice) || !isJsonObject(message)) {
    return { kind: 'never', fault: malformed('the reply of the judge is no chat completion', url, body) };
  }
  const declined = typeof message.refusal === 'string' || choice.finish_reason === 'content_filter';
  if (declined) return refusal('declined', 'the judge declines to answer', url, body);
  if (message.content == null) return refusal('declined', 'the judge says nothing', url, body);
  const text = textOf(message.content);
  if (text === undefined) {
    return { kind: 'never', fault: malformed('the reply of the judge holds no text', url, body) };
  }
  if (choice.finish_reason === 'length')
    return refusal('reply-cut', 'the reply of the judge is longer than max_tokens', url, text);
  return { kind: 'reply', text };
}

function textOf(content: JsonValue | undefined): string | undefined {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part) => (isJsonObject(part) && typeof part.text === 'string' ? part.text : undefined));
  return texts.includes(undefined) ? undefined : texts.join('');
}

function malformed(message: string, path: string, body: string): Fault {
  const expected = '{"choices": [{"message": {"content": "…"}}]}';
  return { code: 'feedback/http-reply', message, path, expected, got: body.slice(0, 200) };
}

function refusal(code: string, message: string, path: string, got: string): Call {
  return { kind: 'refused', fault: { code: `feedback/${code}`, message, path, got: got.slice(0, 120) } };
}
