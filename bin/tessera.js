#!/usr/bin/env node
// The command. It stands beside the build because npx keeps for good what it finds at its first call, built or not.
import { existsSync } from 'node:fs';

const main = new URL('../dist/command/main.js', import.meta.url);
if (existsSync(main)) await import(main.href).catch(notStarted);
else {
  console.error('error: tessera is not built yet\n  remedy:   npm ci');
  process.exitCode = 1;
}

/** What the machine refuses while the command's own files are read, nobody else is there to tell. */
function notStarted(error) {
  const remedies = { EMFILE: 'allow more open files, as with `ulimit -n 1024`', ENFILE: 'close other programs' };
  if (!Object.hasOwn(remedies, error.code)) throw error;
  console.error(`error: ${error.message} [cli/machine]\n  remedy:   ${remedies[error.code]}`);
  process.exitCode = 1;
}
