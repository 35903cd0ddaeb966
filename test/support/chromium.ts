import { existsSync } from 'node:fs';

/** Where packages put the program itself; what stands in the search path is a script that calls it. */
const places = [
  '/usr/lib/chromium/chromium',
  '/usr/lib/chromium-browser/chromium-browser',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The Chromium of this machine: the one that the variable CHROMIUM names, or one in a usual place. */
export function findChromium(): { readonly path: string } | { readonly missing: string } {
  const named = process.env.CHROMIUM;
  const path = (named ? [named] : places).find((place) => existsSync(place));
  if (path) return { path };
  const reason = named ? `CHROMIUM names ${named}, which does not exist` : 'no Chromium is installed';
  return { missing: `${reason}; apt-get install -y chromium, or set CHROMIUM to its path` };
}
