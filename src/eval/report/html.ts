/** Text that is markup already. Only `html` makes it, so whatever else enters a page is escaped. */
export class Html {
  readonly markup: string;
  constructor(markup: string) {
    this.markup = markup;
  }
}

type Part = Html | string | number | readonly Part[];

/**
 * Markup from a template. Interpolated text is escaped for elements and quoted attributes alike; arrays are joined.
 * @example html`<p title="${answer}">${answer}</p>`
 */
export function html(template: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(template.map((text, i) => text + (i < parts.length ? markup(parts[i] as Part) : '')).join(''));
}

function markup(part: Part): string {
  if (part instanceof Html) return part.markup;
  if (Array.isArray(part)) return part.map(markup).join('');
  return escapeText(`${part}`);
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export const nothing = html``;
