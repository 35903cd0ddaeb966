import { wrap } from './table.ts';

/**
 * Lines that are wider than the terminal, wrapped between words; what follows stands below where the text of the line began,
 * behind white space or a label such as `  remedy:   `. Longer words stay whole.
 */
export function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => (line.length <= width ? line : wrapLine(line, width)))
    .join('\n');
}

function wrapLine(line: string, width: number): string {
  const [label] = /^ {2}[a-z]+: +|^ */.exec(line) as RegExpExecArray;
  return label + wrap(line.slice(label.length), width - label.length).join(`\n${' '.repeat(label.length)}`);
}
