import * as library from '@huggingface/jinja';
import type { RenderLimits, TemplateValue } from './limits.ts';

// The library's declarations name their files without an extension, which hides its types here.
interface Value extends TemplateValue {
  readonly builtins: ReadonlyMap<string, TemplateValue>;
}
type Node = { readonly type: string } & Readonly<Record<string, unknown>>;
type Scope = { set(name: string, value: unknown): void };
interface Library {
  readonly Environment: new () => Scope;
  readonly Interpreter: new (
    scope: Scope,
  ) => { run(program: Program): Value; evaluate(node: Node | undefined, scope: Scope): Value };
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown[];
  parse(tokens: unknown[]): Program;
}
const { Environment, Interpreter, parse, tokenize } = library as unknown as Library;

/** A template as a syntax tree. */
export type Program = Node;

/** Parses a template with the white-space rules of chat templates. */
export function parseTemplate(source: string): Program {
  return parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
}

/** Runs a template with these variables, under limits. */
export function runTemplate(
  program: Program,
  variables: Readonly<Record<string, unknown>>,
  limits: RenderLimits,
): string {
  const scope = new Environment();
  for (const [name, value] of Object.entries(variables)) scope.set(name, value);
  return new LimitedInterpreter(scope, limits).run(program).value as string;
}

/** A node that stands for a value computed already. */
class Held {
  readonly type = 'Held';
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }
}

/** Kinds of nodes that make text or lists; the others name, choose or hand on what is there. */
const makers = new Set(['Program', 'BinaryExpression', 'FilterExpression', 'FilterStatement', 'CallExpression', 'For']);
/** Filters that look at no more than one item. */
const constant = new Set(['default', 'first', 'last', 'length', 'list', 'safe']);
/** Filters and methods whose work or result grows with a product of sizes. */
const growing = new Set(['replace', 'join', 'indent', 'tojson', 'split']);

/**
 * The library's interpreter under limits. Each evaluation is counted and each value measured; operations have their
 * operands evaluated first and measured too, because one of them alone could make a gigabyte or take an hour.
 */
class LimitedInterpreter extends Interpreter {
  readonly #limits: RenderLimits;

  constructor(scope: Scope, limits: RenderLimits) {
    super(scope);
    this.#limits = limits;
  }

  override evaluate(node: Node | undefined, scope: Scope): Value {
    if (node instanceof Held) return node.value;
    this.#limits.enter();
    try {
      const value = super.evaluate(node && this.#prepared(node, scope), scope);
      this.#limits.admit(value);
      if (node?.type === 'MemberExpression') this.#refuseMethod(node, value);
      if (node && makers.has(node.type)) this.#limits.handle(this.#limits.size(value));
      return value;
    } finally {
      this.#limits.leave();
    }
  }

  /** Methods are measured where they are called, and only calls hold their object beforehand. */
  #refuseMethod(node: Node, value: Value): void {
    if (value.type !== 'FunctionValue' || node.object instanceof Held) return;
    this.#limits.refuse('takes a method without calling it', 'a call such as text.strip()');
  }

  #prepared(node: Node, scope: Scope): Node {
    switch (node.type) {
      case 'BinaryExpression':
        return this.#binary(node, scope);
      case 'FilterExpression':
        return this.#filter(node, scope);
      case 'FilterStatement':
        return this.#filter({ ...node, type: 'FilterExpression', operand: block(node) }, scope);
      case 'CallExpression':
        return this.#call(node, scope);
      case 'For':
        return this.#loop(node, scope);
      case 'Set':
        return this.#assignment(node, scope);
      case 'MemberExpression':
        return this.#slice(node, scope);
      case 'TestExpression':
        return this.#test(node, scope);
      case 'Macro':
      case 'CallStatement':
        // The library walks through the body each time, to see which arguments it names.
        this.#limits.spend(countNodes(node));
        return node;
      default:
        return node;
    }
  }

  #held(node: unknown, scope: Scope): Held {
    return node instanceof Held ? node : new Held(this.evaluate(node as Node, scope));
  }

  #binary(node: Node, scope: Scope): Node {
    const operator = (node.operator as Node).value;
    const isSearch = operator === 'in' || operator === 'not in';
    const short = [node.left, node.right].some((side) => /Literal$/.test((side as Node).type));
    if (operator === 'and' || operator === 'or' || (short && !isSearch)) return node;
    const [left, right] = [this.#held(node.left, scope), this.#held(node.right, scope)];
    const [a, b] = [this.#limits.size(left.value), this.#limits.size(right.value)];
    if (isSearch) {
      if (typeof right.value.value === 'string') this.#limits.multiply(b, a);
      this.#limits.handle(b);
    } else this.#limits.handle(Math.min(a, b));
    return { ...node, left, right };
  }

  #filter(node: Node, scope: Scope): Node {
    const operand = this.#held(node.operand, scope);
    const filter = node.filter as Node;
    const isCall = filter.type === 'CallExpression';
    const name = isCall ? (filter.callee as Node).value : filter.value;
    if (!constant.has(String(name))) this.#limits.handle(this.#limits.size(operand.value));
    if (!isCall) return { ...node, operand };
    const args = this.#arguments(filter.args, scope);
    this.#grow(name, operand.value, args);
    return { ...node, operand, filter: { ...filter, args } };
  }

  #call(node: Node, scope: Scope): Node {
    const args = this.#arguments(node.args, scope);
    const callee = node.callee as Node;
    if (callee.type !== 'MemberExpression') return { ...node, args };
    const object = this.#held(callee.object, scope);
    const property = isChosen(callee) ? this.#held(callee.property, scope) : callee.property;
    const name = property instanceof Held ? property.value.value : (property as Node).value;
    this.#limits.handle(this.#limits.size(object.value));
    this.#grow(name, object.value, args);
    return { ...node, args, callee: { ...callee, object, property } };
  }

  /** Arguments with their values held; literals stay, because some filters ask for them. */
  #arguments(args: unknown, scope: Scope): (Node | Held)[] {
    return (args as Node[]).map((arg) => {
      if (arg.type === 'StringLiteral') return arg;
      if (arg.type === 'KeywordArgumentExpression') return { ...arg, value: this.#held(arg.value, scope) };
      if (/Spread/.test(arg.type)) return { ...arg, argument: this.#held(arg.argument, scope) };
      return this.#held(arg, scope);
    });
  }

  #grow(name: unknown, operand: TemplateValue, args: readonly (Node | Held)[]): void {
    if (!growing.has(String(name))) return;
    const factor = args.reduce((most, arg) => Math.max(most, this.#factor(arg)), 1);
    this.#limits.multiply(this.#limits.size(operand), factor);
  }

  /** By how much an argument can multiply a text: a number of spaces or copies, or its own length. */
  #factor(arg: Node | Held): number {
    const inner = arg instanceof Held ? arg : arg.type === 'StringLiteral' ? arg : (arg.value ?? arg.argument);
    const value = inner instanceof Held ? inner.value : (inner as Node & TemplateValue);
    if (typeof value.value !== 'number') return this.#limits.size(value);
    return Number.isFinite(value.value) ? Math.abs(value.value) : Number.POSITIVE_INFINITY;
  }

  #loop(node: Node, scope: Scope): Node {
    const iterable = node.iterable as Node;
    const select = iterable.type === 'SelectExpression';
    const held = this.#held(select ? iterable.lhs : iterable, scope);
    const items = held.value.value;
    // The library makes two scopes for each item, wanted or not.
    if (Array.isArray(items)) this.#limits.spend(4 * items.length);
    return { ...node, iterable: select ? { ...iterable, lhs: held } : held };
  }

  #assignment(node: Node, scope: Scope): Node {
    const toMember = (node.assignee as Node).type === 'MemberExpression';
    if (node.value && !toMember) return node;
    const value = this.#held(node.value ?? block(node), scope);
    if (toMember && value.value.type === 'NamespaceValue') {
      this.#limits.refuse('puts a namespace into another value', 'texts, numbers, lists and mappings');
    }
    return { ...node, value };
  }

  #slice(node: Node, scope: Scope): Node {
    if ((node.property as Node).type !== 'SliceExpression') return node;
    const object = this.#held(node.object, scope);
    this.#limits.handle(this.#limits.size(object.value));
    return { ...node, object };
  }

  #test(node: Node, scope: Scope): Node {
    if (!/^(lower|upper)$/.test(String((node.test as Node).value))) return node;
    const operand = this.#held(node.operand, scope);
    this.#limits.handle(this.#limits.size(operand.value));
    return { ...node, operand };
  }
}

const counts = new WeakMap<object, number>();

/** Nodes of a tree. */
function countNodes(node: object): number {
  const known = counts.get(node);
  if (known !== undefined) return known;
  const below = node instanceof Map ? [...node].flat() : Object.values(node);
  const count = below.reduce<number>(
    (sum, child) => sum + (typeof child === 'object' && child !== null ? countNodes(child) : 0),
    1,
  );
  counts.set(node, count);
  return count;
}

/** A block as an expression: what it prints. */
function block(node: Node): Node {
  return { type: 'Program', body: node.body };
}

/** Whether the name after an object is computed: `a[b]`. */
function isChosen(node: Node): boolean {
  return node.computed === true && (node.property as Node).type !== 'SliceExpression';
}
