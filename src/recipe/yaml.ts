import type { Document, LineCounter } from 'yaml';
import { parseDocument } from 'yaml';
import type { Fault } from '../base/index.ts';
import { asTesseraError, raise, TesseraError } from '../base/index.ts';

/** How often anchors may be expanded before a file counts as hostile. */
const largestAliasCount = 100;
const deepest = 32;
const mostSyntaxFaults = 10;

/** What a file is to be, and the code of its faults. */
export interface YamlKind {
  readonly code: string;
  /** "recipe" */
  readonly noun: string;
}

/**
 * Reads YAML, and where its lines are.
 * @throws TesseraError of the kind's code, with the first faults of the text
 */
export function yamlDocument(text: string, file: string, lines: LineCounter, kind: YamlKind): Document {
  const document = parsed(text, file, lines, kind);
  raise(syntaxFaults(document, file, lines, kind));
  return document;
}

/** The library recurses, so a deeply nested file ends its stack. */
function parsed(text: string, file: string, lineCounter: LineCounter, { code, noun }: YamlKind): Document {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' });
  } catch (error) {
    throw asTesseraError(error, { code, path: file, expected: `a ${noun} of a few levels` });
  }
}

/** The first faults of the text, and how many follow: a file that is no YAML at all has hundreds. */
function syntaxFaults(document: Document, file: string, lines: LineCounter, { code, noun }: YamlKind): Fault[] {
  const found = [...document.errors, ...document.warnings];
  const told = found.slice(0, mostSyntaxFaults).map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { code, message: sentence(error.message, noun), path: `${file}:${line}:${col}` };
  });
  const more = found.length - told.length;
  if (more === 0) return told;
  return [...told, { code, message: `${more} more faults follow`, path: file, remedy: `is this file a ${noun}?` }];
}

function sentence(message: string, noun: string): string {
  if (message.startsWith('Source contains multiple documents'))
    return `a ${noun} is one document, and this file holds several`;
  return message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? message;
}

/** What a document holds, its anchors expanded. */
export function plainData(document: Document, file: string, { code }: YamlKind): unknown {
  try {
    const data: unknown = document.toJS({ maxAliasCount: largestAliasCount });
    if (isTooDeep(data)) throw new Error(`nested more than ${deepest} levels, or without end`);
    return data;
  } catch (error) {
    throw new TesseraError(
      { code, message: 'the anchors of this file cannot be expanded', path: file, got: String(error) },
      { cause: error },
    );
  }
}

/** An alias may stand inside of what it names, so that a value has no end. */
function isTooDeep(value: unknown, level = 0): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return level > deepest || Object.values(value).some((inner) => isTooDeep(inner, level + 1));
}
