import { basename, relative } from 'node:path';

/** What decides how a command is called: its environment, and the script that runs. */
export interface Start {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly script: string;
}

const started = (): Start => ({ env: process.env, script: process.argv[1] ?? '' });

/** How the user calls this command: through npm, by its name, or as a script. */
export function calledAs({ env, script }: Start = started()): string {
  if (env.npm_command !== undefined) return 'npx tessera';
  return basename(script) === 'tessera.js' ? `node ${relative(process.cwd(), script)}` : 'tessera';
}

/** A command line that the user can type: `command('resume runs/llava')`. */
export function command(words: string): string {
  return `${calledAs()} ${words}`;
}

/** A sentence whose commands, such as `tessera runs`, are spelt as the user calls them. */
export function spelled(text: string, start?: Start): string {
  const called = calledAs(start);
  return text.replace(/(^|[\s`])tessera (?=[a-z])/g, (_, before: string) => `${before}${called} `);
}
