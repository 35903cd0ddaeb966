import { dirname } from 'node:path';
import { asTesseraError, Random } from '../../base/index.ts';
import { makeFolder, writeTextAtomically } from '../../files/index.ts';
import { Html, html } from './html.ts';
import { style } from './style.ts';

/** A page that needs no network and runs no script; its policy forbids both. */
export function page(title: string, body: Html): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}"><title>${title} – tessera</title>
<style>${new Html(style)}</style></head>
<body>${body}
</body></html>
`.markup;
}

/** The title under a strip of tiles that its letters lay, and facts of a word or two. */
export function pageHeader(title: string, facts: Readonly<Record<string, string>>): Html {
  return html`<header>${mosaic(title)}<h1>${title}</h1>
<p class="facts">${Object.entries(facts).map(([name, value]) => html`<span>${name} <b>${value}</b></span>`)}</p></header>`;
}

function mosaic(title: string): Html {
  const random = new Random(0, 'mosaic', title);
  const glazes = ['teal', 'teal', 'clay', 'gold', 'indigo', 'line', 'line'];
  const tiles = Array.from({ length: 2 * 77 }, (_, i) => {
    const [x, y] = [(i % 77) * 13, Math.floor(i / 77) * 13];
    return html`<rect x="${x}" y="${y}" width="12" height="12" rx="1.5" fill="var(--${random.pick(glazes)})" opacity="${random.uniform(0.55, 1).toFixed(2)}"/>`;
  });
  return html`<svg class="mosaic" viewBox="0 0 1000 25" preserveAspectRatio="xMidYMid slice" aria-hidden="true">${tiles}</svg>`;
}

/**
 * Writes a page whole or not at all.
 * @throws TesseraError `report/write`
 */
export function writePage(path: string, markup: string): string {
  try {
    makeFolder(dirname(path));
    writeTextAtomically(path, markup);
    return path;
  } catch (error) {
    throw asTesseraError(error, { code: 'report/write', path, remedy: 'name a file in a folder that can be written' });
  }
}
