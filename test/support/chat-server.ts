import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server got of one call. */
export interface Heard {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers a call; `n` counts the calls from 1. */
export type Handler = (response: ServerResponse, heard: Heard, n: number) => void;

/** A real HTTP server on this machine that answers as it is told. */
export async function chatServer(handler: Handler) {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      heard.push({ path: request.url ?? '', headers: request.headers, body });
      response.on('error', () => {});
      handler(response, heard.at(-1) as Heard, heard.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    heard,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A chat completion that says a text. */
export function says(response: ServerResponse, content: unknown, more: object = {}): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content }, ...more }] }));
}

/** The words of a request. */
export function askedOf({ body }: Heard): string {
  const { messages } = JSON.parse(body);
  return messages[1].content[1].text;
}
