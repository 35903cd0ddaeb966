import type { ImageMedia, Row } from '../row.ts';
import { bindMarkers, checkTurns, MARKER, type MarkedTurn } from './conversation.ts';
import type { ImageFolder } from './image-folder.ts';

/** What a record asks and answers in plain text, with its images. */
export interface Exchange {
  readonly id: string | number | null | undefined;
  readonly where: string;
  readonly system?: string | null | undefined;
  readonly history?: readonly (readonly [question: string, answer: string])[] | null | undefined;
  readonly question: string;
  readonly answer: string;
  readonly names: readonly string[];
}

/**
 * A row of questions and answers. Images without a marker are shown in front of the first question.
 * @throws TesseraError those of the images and turns
 */
export function exchangeRow(
  { id, where, system, history, question, answer, names }: Exchange,
  folder: ImageFolder,
): Row {
  const media: readonly ImageMedia[] = names.map((name) => folder.find(name, where));
  const said = [...(history ?? []), [question, answer] as const];
  const marked = said.some(([asked]) => asked.includes(MARKER));
  const turns: MarkedTurn[] = said.flatMap(([asked, answered], i) => [
    { role: 'user', text: i === 0 && !marked ? MARKER.repeat(media.length) + asked : asked },
    { role: 'assistant', text: answered },
  ]);
  const bound = bindMarkers(system ? [{ role: 'system', text: system }, ...turns] : turns, media.length, where);
  checkTurns(bound, where);
  return { id: String(id ?? where), where, media, turns: bound };
}
