import { TesseraError } from '../../base/index.ts';
import type { Turn } from '../row.ts';

/**
 * Keys of a turn that say whether it is learned: OpenAI's and ShareGPT's `weight`, ms-swift's `loss` and `loss_scale`,
 * axolotl's `train` and `training`.
 */
export const learnedKeys = ['weight', 'loss', 'loss_scale', 'train', 'training', 'trainable'] as const;

/**
 * Whether a turn is learned; undefined when nothing is said.
 * @throws TesseraError `row/turn-weight` for a value between yes and no, for two that differ, and for what asks to learn
 *   the words of somebody else than the assistant
 */
export function learnedOf(value: unknown, role: Turn['role'], where: string): boolean | undefined {
  const turn = value as Readonly<Record<string, unknown>>;
  const said = learnedKeys.flatMap((key) =>
    turn[key] == null ? [] : [[key, verdict(key, turn[key], where)] as const],
  );
  const [first] = said;
  if (!first) return undefined;
  const other = said.find(([, learned]) => learned !== first[1]);
  if (other)
    throw wrong(where, `${first[0]} and ${other[0]} say different things of one turn`, `${first[0]}, ${other[0]}`);
  if (role !== 'assistant') {
    // `weight: 1` on a question is written by tools that write it everywhere; a plain yes is a wish.
    if (said.some(([key]) => turn[key] === true)) {
      throw wrong(where, `${first[0]} asks to learn what the ${role} says`, `${first[0]}: true`);
    }
    return undefined;
  }
  return first[1];
}

/**
 * Whether a turn of parts is learned, by its own word and those of its parts; undefined when nothing is said.
 * @throws TesseraError `row/turn-weight` as `learnedOf`, and where some parts are to be learned and others not
 */
export function learnedOfParts(
  turn: unknown,
  parts: readonly unknown[],
  role: Turn['role'],
  where: string,
): boolean | undefined {
  const own = learnedOf(turn, role, where);
  const said = parts.map((part) => learnedOf(part, role, where));
  if (said.every((one) => one === undefined)) return own;
  const learned = said.map((one) => one ?? own ?? true);
  const [first] = learned;
  if (learned.every((one) => one === (own ?? first))) return first;
  throw new TesseraError({
    code: 'row/turn-weight',
    message: 'one part of a turn is to be learned and another is not',
    path: where,
    expected: 'one word for the whole turn',
    got: learned.map((one, i) => `part ${i + 1}: ${one}`).join(', '),
    remedy: 'make two rows of it, or learn the whole turn',
  });
}

function verdict(key: string, value: unknown, where: string): boolean {
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  throw wrong(where, `${key} of a turn is neither yes nor no`, `${key}: ${JSON.stringify(value)}`);
}

function wrong(path: string, message: string, got: string): TesseraError {
  return new TesseraError({
    code: 'row/turn-weight',
    message,
    path,
    expected: 'true, false, 1 or 0 on turns of the assistant',
    got,
    remedy: 'set it to 1 or 0, or take it out',
  });
}
