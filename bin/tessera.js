#!/usr/bin/env node
// The command. It stands beside the build because npx keeps for good what it finds at its first call, built or not.
import { existsSync } from 'node:fs';

const main = new URL('../dist/apps/cli/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  console.error('error: tessera is not built yet\n  remedy:   npm ci');
  process.exitCode = 1;
}
