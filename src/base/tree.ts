/**
 * Selections of parameter paths. A pattern is a dotted path in which `*` stands for one segment and `**` for any
 * number of segments; a leading `!` takes its matches out again. Later patterns win.
 * @example const trainable = selector(['model.multi_modal_projector.**']);
 */
export function selector(patterns: readonly string[]): (path: string) => boolean {
  const rules = patterns.map((pattern) => {
    const negated = pattern.startsWith('!');
    return { keep: !negated, test: compile(negated ? pattern.slice(1) : pattern) };
  });
  return (path) => {
    let selected = false;
    for (const rule of rules) if (rule.test.test(path)) selected = rule.keep;
    return selected;
  };
}

function compile(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*/g, '\u0000')
    .replace(/\*/g, '[^.]*')
    .replace(/\\\.\u0000/g, '(?:\\..*)?')
    .replace(/\u0000\\\./g, '(?:.*\\.)?')
    .replace(/\u0000/g, '.*');
  return new RegExp(`^${escaped}$`);
}
