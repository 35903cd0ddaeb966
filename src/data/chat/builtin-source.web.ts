import type * as onDisk from './builtin-source.ts';
import chameleon from './templates/chameleon.jinja';
import flamingo from './templates/flamingo.jinja';
import llava15 from './templates/llava-1.5.jinja';
import llavaV0 from './templates/llava-v0.jinja';
import llavaV1 from './templates/llava-v1.jinja';
import plain from './templates/plain.jinja';
import text from './templates/text.jinja';

// A bundler puts the texts of the templates here.
const sources: Readonly<Record<string, string>> = {
  plain,
  text,
  'llava-v0': llavaV0,
  'llava-v1': llavaV1,
  'llava-1.5': llava15,
  flamingo,
  chameleon,
};

export const builtinSource: typeof onDisk.builtinSource = (name) => sources[name] as string;
