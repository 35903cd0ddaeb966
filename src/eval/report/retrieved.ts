import { basename } from 'node:path';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';
import { inlineImage, isTiny } from './image.ts';
import { page, pageHeader, writePage } from './page.ts';

/** An image, by its path, or a text. */
export type Shown = { readonly image: string } | { readonly text: string };

/** What was found, and why it stands where it does. */
export type RetrievedItem = Shown & {
  /** Its rank by contrast, from 1. */
  readonly byContrast: number;
  readonly similarity: number;
  /** The probability that it belongs to what was asked with, where a matching head looked at both. */
  readonly match?: number;
};

/** What was asked with, and what was found, the best first. */
export interface Retrieved {
  readonly query: Shown;
  readonly found: readonly RetrievedItem[];
}

/**
 * Writes a page of what was found, with thumbnails: one file that needs no network and runs no script.
 * @returns its path
 * @throws TesseraError `report/picture`, `report/write`
 */
export async function writeRetrieved(
  path: string,
  { title, facts, results }: { title: string; facts: Readonly<Record<string, string>>; results: readonly Retrieved[] },
): Promise<string> {
  const sections: Html[] = [];
  for (const { query, found } of results) {
    const cards: Html[] = [];
    for (const item of found) cards.push(await figure(item));
    sections.push(html`<section>${await heading(query)}<div class="thumbs">${cards}</div></section>`);
  }
  return writePage(path, page(title, html`${pageHeader(title, facts)}<main>${sections}</main><footer></footer>`));
}

async function heading(query: Shown): Promise<Html> {
  return 'text' in query
    ? html`<h2>${query.text}</h2>`
    : html`<h2>${basename(query.image)}</h2>${await thumbnail(query.image)}`;
}

async function figure(item: RetrievedItem): Promise<Html> {
  const { byContrast, similarity, match } = item;
  const shown =
    'text' in item
      ? html`<p>${item.text}</p>`
      : html`${await thumbnail(item.image)}<p class="small">${basename(item.image)}</p>`;
  const matched = match === undefined ? nothing : html`match ${match.toFixed(3)} · by contrast ${byContrast} · `;
  return html`<figure>${shown}<div class="label">${matched}similarity ${similarity.toFixed(3)}</div></figure>`;
}

async function thumbnail(path: string): Promise<Html> {
  const image = await inlineImage(path);
  return html`<img class="${isTiny(image) ? 'crisp' : 'photo'}" src="${image.uri}" alt="${basename(path)}">`;
}
