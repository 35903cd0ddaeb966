import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a browser does not have is left outside, so that whatever still asks for it is seen. */
const outside: Plugin = {
  name: 'outside',
  setup({ onResolve }) {
    const filter = /^(node:.*|koffi|sharp|onnxruntime-node)$/;
    onResolve({ filter }, ({ path }) => ({ path, external: true, sideEffects: false }));
  },
};

export interface Bundle {
  readonly code: Uint8Array;
  /** Packages and modules of Node that the code asks for all the same. */
  readonly missing: readonly string[];
}

/** The bundle for browsers of a source file. */
export async function bundle(entry: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    outfile: 'bundle.js',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    loader: { '.jinja': 'text' },
    plugins: [outside],
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  return { code: (outputFiles[0] as { contents: Uint8Array }).contents, missing: externals(metafile) };
}

function externals({ outputs }: Metafile): string[] {
  return Object.values(outputs).flatMap(({ imports }) => imports.filter((i) => i.external).map(({ path }) => path));
}

const softwareGpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--ignore-gpu-blocklist'];

export interface Page {
  /** The page's module; it posts what it finds as JSON to `/result`. */
  readonly script: string;
  /** What is served, by the beginning of its path: bytes, or a folder. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

/**
 * Runs a page in a headless Chromium and returns what it posts.
 * @throws Error with what the page says when it fails.
 */
export async function runPage(chromium: string, { script, files }: Page): Promise<unknown> {
  const page = new EventEmitter();
  const posted = once(page, 'result');
  // Once the result is there, nobody waits for a fault any more.
  page.on('error', () => {});
  const served = { ...files, '/page.js': new TextEncoder().encode(guarded(script)) };
  const server = await serve(served, (result) => page.emit('result', result));
  const profile = mkdtempSync(join(tmpdir(), 'tessera-browser-'));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const flags = ['--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--no-first-run', ...softwareGpu];
  // A group of its own, so that its helpers, which write into the profile too, end with it.
  const browser = spawn(chromium, [...flags, `--user-data-dir=${profile}`, url], { stdio: 'ignore', detached: true });
  browser.on('error', (error) => page.emit('error', error));
  browser.on('exit', (code) => page.emit('error', new Error(`Chromium ended with ${code}`)));
  try {
    const [result] = (await posted) as [{ readonly failed?: string }];
    if (result.failed) throw new Error(result.failed);
    return result;
  } finally {
    const gone = new Promise((resolve) => browser.once('exit', resolve));
    if (browser.exitCode === null && browser.pid !== undefined) {
      process.kill(-browser.pid, 'SIGKILL');
      await gone;
    }
    server.close();
    server.closeAllConnections();
    await removeAtLast(profile);
  }
}

/** Removes a folder in which a dying process may still write for a moment. */
async function removeAtLast(folder: string): Promise<void> {
  for (let tries = 50; ; tries--) {
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (tries === 0) throw error;
      await sleep(100);
    }
  }
}

function guarded(script: string): string {
  return `const post = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
try { await post(await (async () => {${script}})()); } catch (error) { await post({ failed: String(error.stack ?? error) }); }`;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

async function serve(files: Page['files'], onResult: (result: unknown) => void): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (request.method === 'POST') {
      const body = await request.toArray();
      response.end();
      return onResult(JSON.parse(Buffer.concat(body).toString()));
    }
    if (path === '/') {
      return response.setHeader('content-type', 'text/html').end('<script type="module" src="/page.js"></script>');
    }
    const found = lookUp(files, path);
    if (!found) return response.writeHead(404).end();
    response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
    if (typeof found === 'string') createReadStream(found).pipe(response);
    else response.end(found);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function lookUp(files: Page['files'], path: string): Uint8Array | string | undefined {
  for (const [prefix, content] of Object.entries(files)) {
    if (typeof content !== 'string') {
      if (path === prefix) return content;
    } else if (path.startsWith(`${prefix}/`)) {
      const file = join(content, path.slice(prefix.length));
      return existsSync(file) && statSync(file).isFile() ? file : undefined;
    }
  }
  return undefined;
}
