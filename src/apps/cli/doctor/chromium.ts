import { existsSync } from 'node:fs';

/** Where packages put the program itself; what stands in the search path is a script that calls it. */
const places = [
  '/usr/lib/chromium/chromium',
  '/usr/lib/chromium-browser/chromium-browser',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const chromiumRemedy = 'on Debian apt-get install chromium, elsewhere set CHROMIUM to its path';

type Found = { readonly path: string; readonly missing?: never } | { readonly path?: never; readonly missing: string };

/** The Chromium of this machine: the one that the variable CHROMIUM names, or one in a usual place. */
export function findChromium(): Found {
  const named = process.env.CHROMIUM;
  const path = (named ? [named] : places).find((place) => existsSync(place));
  if (path) return { path };
  return { missing: named ? `CHROMIUM names ${named}, which does not exist` : 'not found' };
}
