import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { askedOf, chatServer, type Handler, says } from '../../../test/support/chat-server.ts';
import { rejectionOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { TesseraError } from '../../base/index.ts';
import { openServer, type ServerOptions } from './server.ts';

const root = scratchFolder();
const image = root.path('a.png');
writeFileSync(image, Buffer.from([0x89, 0x50, 0x4e, 0x47, 1, 2, 3]));
const key = 'secret-key-1234';
const signal = new AbortController().signal;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(handler: Handler) {
  const server = await chatServer(handler);
  closing.push(server.close);
  return server;
}

let files = 0;

/** A judge at a server, with waits of milliseconds. */
function judgeAt(url: string, more: Partial<ServerOptions> = {}) {
  const transcripts = more.transcripts ?? root.path(`transcripts-${files++}.jsonl`);
  const usual = { model: 'judge', key, maxTokens: 99, seed: 7, retries: 2, concurrency: 3, timeout: 5, pause: 0.005 };
  return { ...openServer({ ...usual, url, ...more, transcripts }), transcripts };
}

const request = (id: string) => ({ id, image, task: 'Rate.', text: `item ${id}` });
const requests = (...ids: string[]) => ids.map(request);

describe('a judge behind an API', () => {
  it('is asked as OpenAI has it, with the image inside and the key in the header alone', async () => {
    const server = await serve((response) => says(response, 'fine'));
    const judge = judgeAt(`${server.url}/`);
    expect(await judge.ask(requests('1'), signal)).toEqual([{ kept: 'fine' }]);
    const [call] = server.heard;
    expect(call?.path).toBe('/v1/chat/completions');
    expect(call?.headers.authorization).toBe(`Bearer ${key}`);
    expect(JSON.parse(call?.body ?? '')).toEqual({
      model: 'judge',
      messages: [
        { role: 'system', content: 'Rate.' },
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORwECAw==' } },
            { type: 'text', text: 'item 1' },
          ],
        },
      ],
      temperature: 0,
      max_tokens: 99,
      seed: 7,
      stream: false,
    });
    expect(readFileSync(judge.transcripts, 'utf8')).not.toContain(key);
    const open = judgeAt(server.url, { key: undefined });
    await open.ask(requests('1'), signal);
    expect(server.heard[1]?.headers.authorization).toBeUndefined();
  });

  it('gives each request its own reply, and has no more under way than it may', async () => {
    let [now, most] = [0, 0];
    const server = await serve((response, heard, n) => {
      most = Math.max(most, ++now);
      setTimeout(
        () => {
          now--;
          says(response, `re: ${askedOf(heard)}`);
        },
        n % 2 === 0 ? 5 : 25,
      );
    });
    const ids = Array.from({ length: 20 }, (_, i) => `${i}`);
    const replies = await judgeAt(server.url).ask(requests(...ids), signal);
    expect(replies).toEqual(ids.map((id) => ({ kept: `re: item ${id}` })));
    expect(most).toBe(3);
    expect(server.heard).toHaveLength(20);
  });

  it('is never asked the same twice, also by another process', async () => {
    const server = await serve((response, heard) => says(response, `re: ${askedOf(heard)}`));
    const judge = judgeAt(server.url);
    await judge.ask(requests('1', '2'), signal);
    // A process that died has left half of a line.
    writeFileSync(judge.transcripts, `${readFileSync(judge.transcripts, 'utf8')}{"of":"12`);
    const again = judgeAt(server.url, { transcripts: judge.transcripts });
    expect(await again.ask(requests('2', '3', '1'), signal)).toEqual(
      ['2', '3', '1'].map((id) => ({ kept: `re: item ${id}` })),
    );
    expect(server.heard.map(askedOf).sort()).toEqual(['item 1', 'item 2', 'item 3']);
    const third = judgeAt(server.url, { transcripts: judge.transcripts });
    await third.ask(requests('1', '2', '3'), signal);
    expect(server.heard).toHaveLength(3);
    await judgeAt(server.url, { transcripts: judge.transcripts, model: 'other' }).ask(requests('1'), signal);
    expect(server.heard).toHaveLength(4);
  });

  it('stops at its budget, in which every try counts, and goes on with a larger one', async () => {
    const server = await serve((response, heard, n) => {
      if (n === 1) response.writeHead(500).end();
      else says(response, `re: ${askedOf(heard)}`);
    });
    const judge = judgeAt(server.url, { calls: 3, concurrency: 1 });
    const fault = await rejectionOf(judge.ask(requests('1', '2', '3'), signal));
    expect([fault.code, server.heard.length]).toEqual(['feedback/budget', 3]);
    const again = judgeAt(server.url, { calls: 3, transcripts: judge.transcripts });
    expect((await rejectionOf(again.ask(requests('1', '2', '3'), signal))).code).toBe('feedback/budget');
    expect(server.heard).toHaveLength(3);
    const more = judgeAt(server.url, { calls: 4, transcripts: judge.transcripts });
    expect(await more.ask(requests('1', '2', '3'), signal)).toHaveLength(3);
    expect(server.heard).toHaveLength(4);
  });
});

const half = '{"choices": [{"message": {"content": "fi';

describe('what passes', () => {
  const troubles: Record<string, Handler> = {
    'a 429': (response) => response.writeHead(429, { 'retry-after': '0' }).end('slow down'),
    'a 500': (response) => response.writeHead(500).end('oops'),
    'a 503 with a date': (response) => response.writeHead(503, { 'retry-after': new Date().toUTCString() }).end(),
    'half a JSON': (response) => response.end(half),
    'a connection that breaks': (response) => response.destroy(),
    'a body that breaks': (response) => {
      response.writeHead(200, { 'content-length': '500' });
      response.write(half);
      setTimeout(() => response.destroy(), 10);
    },
    'no answer in time': () => {},
    '10 MB of JSON': (response) => says(response, 'x'.repeat(10 << 20)),
  };

  it.each(Object.keys(troubles))('%s is tried again, and the row counts once', async (name) => {
    const server = await serve((response, heard, n) => {
      if (n < 3) (troubles[name] as Handler)(response, heard, n);
      else says(response, 'fine');
    });
    const heard: string[] = [];
    const judge = judgeAt(server.url, { timeout: 0.5, onRetry: ({ code }) => heard.push(code) });
    expect(await judge.ask(requests('1'), signal)).toEqual([{ kept: 'fine' }]);
    expect([server.heard.length, heard.length]).toEqual([3, 2]);
  });

  it('waits as long as the server asks', async () => {
    const server = await serve((response, _, n) => {
      if (n === 1) response.writeHead(429, { 'retry-after': '1' }).end();
      else says(response, 'fine');
    });
    const began = performance.now();
    await judgeAt(server.url).ask(requests('1'), signal);
    expect(performance.now() - began).toBeGreaterThan(990);
  });
});

describe('what does not pass', () => {
  const stream: Handler = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write('data: {"choices": []}\n\n'), 20);
    response.on('close', () => clearInterval(timer));
  };
  const flood: Handler = (response) => {
    response.on('close', () => response.destroy());
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(1 << 16)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  const json =
    (value: unknown): Handler =>
    (response) =>
      response.end(JSON.stringify(value));
  const content = (value: unknown) => json({ choices: [{ message: { content: value } }] });
  const cases: [string, Handler, string, calls: number][] = [
    ['a 500 each time', (response) => response.writeHead(500).end(`no ${key}`), 'feedback/http-busy', 3],
    ['half a JSON each time', (response) => response.end(half), 'feedback/http-reply', 3],
    ['a stream without end', stream, 'feedback/http-timeout', 3],
    ['a flood without end', flood, 'feedback/http-reply', 3],
    ['a web page', (response) => response.end('<html>'), 'feedback/http-reply', 3],
    ['a list', json([]), 'feedback/http-reply', 1],
    ['no choices', json({ choices: [] }), 'feedback/http-reply', 1],
    ['choices of another type', json({ choices: 'fine' }), 'feedback/http-reply', 1],
    ['a message of another type', json({ choices: [{ message: 'fine' }] }), 'feedback/http-reply', 1],
    ['content of another type', content(5), 'feedback/http-reply', 1],
    ['parts of another type', content([{ type: 'text', text: 5 }]), 'feedback/http-reply', 1],
    ['a key twice', (response) => response.end('{"choices": [], "choices": []}'), 'feedback/http-reply', 3],
    [
      'a redirect',
      (response) => response.writeHead(307, { location: 'http://127.0.0.1:9/v1' }).end(),
      'feedback/http-redirect',
      1,
    ],
    ['a wrong key', (response) => response.writeHead(401).end(`bad key ${key}`), 'feedback/http-key', 1],
    ['no such model', (response) => response.writeHead(404).end('no model'), 'feedback/http-status', 1],
  ];

  it.each(cases)('%s is one clear error, and nothing is kept', async (_, handler, code, calls) => {
    const server = await serve(handler);
    const judge = judgeAt(server.url, { timeout: 0.4 });
    const fault = await rejectionOf(judge.ask(requests('1'), signal));
    expect(fault).toBeInstanceOf(TesseraError);
    expect([fault.code, server.heard.length]).toEqual([code, calls]);
    const told = JSON.stringify(fault) + readFileSync(judge.transcripts, 'utf8');
    expect(told).not.toContain(key);
    expect(told).not.toContain('"kept"');
  });

  it('a server that is not there', async () => {
    const server = await chatServer(() => {});
    await server.close();
    const fault = await rejectionOf(judgeAt(server.url).ask(requests('1'), signal));
    expect([fault.code, fault.got]).toEqual(['feedback/http-unreachable', expect.stringContaining('ECONNREFUSED')]);
  });

  it.each([
    ['a port that no request goes to', 'http://127.0.0.1:6000/v1'],
    ['another scheme', 'ftp://127.0.0.1/v1'],
    ['a name and a password', 'http://me:secret@127.0.0.1:9/v1'],
  ])('an address that cannot be asked is never tried again: %s', async (_, url) => {
    const retried: unknown[] = [];
    const judge = judgeAt(url, { onRetry: (fault) => retried.push(fault) });
    const fault = await rejectionOf(judge.ask(requests('1'), signal));
    expect([fault.code, retried, fault.remedy]).toEqual([
      'feedback/http-unreachable',
      [],
      expect.stringContaining('feedback.judge.url'),
    ]);
  });

  it('a server that talks no TLS is asked once, one that hangs up again', async () => {
    const retried: string[] = [];
    const onRetry = ({ code }: { readonly code: string }) => void retried.push(code);
    const plain = await serve((response) => says(response, 'fine'));
    const secure = judgeAt(plain.url.replace('http:', 'https:'), { onRetry });
    expect((await rejectionOf(secure.ask(requests('1'), signal))).code).toBe('feedback/http-unreachable');
    expect(retried).toEqual([]);
    const hanging = await serve((response) => void response.destroy());
    await rejectionOf(judgeAt(hanging.url, { onRetry }).ask(requests('1'), signal));
    expect(retried).toHaveLength(2);
  });

  it('keeps what came before, and ends the calls beside', async () => {
    const server = await serve((response, heard) => {
      if (askedOf(heard) === 'item 1') says(response, 'fine');
      else if (askedOf(heard) === 'item 2') setTimeout(() => response.writeHead(401).end(), 50);
    });
    const judge = judgeAt(server.url, { timeout: 60 });
    const began = performance.now();
    expect((await rejectionOf(judge.ask(requests('1', '2', '3', '4'), signal))).code).toBe('feedback/http-key');
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(readFileSync(judge.transcripts, 'utf8').match(/"kept"/g)).toHaveLength(1);
  });

  it('ends at once when its user wants no more', async () => {
    const server = await serve(() => {});
    const stop = new AbortController();
    const asked = judgeAt(server.url, { timeout: 60 }).ask(requests('1', '2'), stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect(server.heard).toHaveLength(2);
  });
});

describe('what is refused for one item alone', () => {
  const cases: [string, Handler, string][] = [
    ['a 413', (response) => response.writeHead(413).end('too large'), 'feedback/http-refused'],
    ['a filter', (response) => says(response, '', { finish_reason: 'content_filter' }), 'feedback/declined'],
    ['no content', (response) => says(response, null), 'feedback/declined'],
    ['a reply that is cut', (response) => says(response, 'fi', { finish_reason: 'length' }), 'feedback/reply-cut'],
  ];

  it.each(cases)('%s', async (_, handler, code) => {
    const server = await serve((response, heard, n) => {
      if (askedOf(heard) === 'item 2') handler(response, heard, n);
      else says(response, 'fine');
    });
    const transcripts = root.path(`transcripts-${files++}.jsonl`);
    for (let process = 1; process <= 2; process++) {
      const [one, two, three] = await judgeAt(server.url, { transcripts }).ask(requests('1', '2', '3'), signal);
      expect([one, three]).toEqual([{ kept: 'fine' }, { kept: 'fine' }]);
      expect(two).toMatchObject({ refused: { code, path: '2' } });
    }
    expect(server.heard).toHaveLength(3);
  });

  it('is an error where a server refuses all', async () => {
    const server = await serve((response) => response.writeHead(400).end('no seed'));
    const ids = Array.from({ length: 20 }, (_, i) => `${i}`);
    const fault = await rejectionOf(judgeAt(server.url).ask(requests(...ids), signal));
    expect([fault.code, fault.got]).toEqual(['feedback/http-refused', '400: no seed']);
    expect(server.heard.length).toBeLessThan(9);
  });
});
