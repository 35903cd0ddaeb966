import { readFileSync } from 'node:fs';
import { packaged } from '../recipe/index.ts';

/** Version of tessera, from its package.json. */
export const version: string = JSON.parse(readFileSync(packaged('package.json'), 'utf8')).version;
