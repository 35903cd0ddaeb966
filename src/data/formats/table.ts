import { alpacaFormat } from './alpaca.ts';
import { cocoFormat } from './coco.ts';
import type { Format, FormatOption } from './format.ts';
import { halvaFormat } from './halva.ts';
import { labelledFormat } from './labelled.ts';
import { llavaFormat } from './llava.ts';
import { mdpoFormat } from './mdpo.ts';
import { messagesFormat } from './messages.ts';
import { imageFolderFormat } from './metadata.ts';
import { phrasePairsFormat } from './phrase-pairs.ts';
import { povidFormat } from './povid.ts';
import { preferenceFormat } from './preference.ts';
import { promptCompletionFormat } from './prompt-completion.ts';
import { queryResponseFormat } from './query-response.ts';
import { rlaifVFormat, rlhfVFormat } from './rlhf-v.ts';
import { textFormat } from './text.ts';
import { vlfeedbackFormat } from './vlfeedback.ts';
import { vqaFormat } from './vqa.ts';

/** The formats, in the order in which a file is asked whether it is one of them. */
const table = {
  'phrase-pairs': phrasePairsFormat,
  halva: halvaFormat,
  'rlhf-v': rlhfVFormat,
  'rlaif-v': rlaifVFormat,
  vlfeedback: vlfeedbackFormat,
  mdpo: mdpoFormat,
  preference: preferenceFormat,
  povid: povidFormat,
  llava: llavaFormat,
  messages: messagesFormat,
  'prompt-completion': promptCompletionFormat,
  'query-response': queryResponseFormat,
  alpaca: alpacaFormat,
  labelled: labelledFormat,
  'image-folder': imageFolderFormat,
  text: textFormat,
  'coco-captions': cocoFormat,
  vqa: vqaFormat,
} satisfies Record<string, Format>;

/** Formats of training data. */
export type FormatName = keyof typeof table;

/** What some formats have to be told. */
export type FormatOptionName = { [F in FormatName]: keyof (typeof table)[F]['options'] }[FormatName];

export const formats: Readonly<Record<FormatName, Format>> = table;

export const formatNames = Object.keys(table) as FormatName[];

/** An option and the formats that take it. */
export type TakenOption = FormatOption & { readonly formats: readonly FormatName[] };

/** Every option of every format. */
export const formatOptions = optionsOf(Object.entries(formats) as [FormatName, Format][]);

function optionsOf(entries: readonly [FormatName, Format][]): Readonly<Record<FormatOptionName, TakenOption>> {
  const all: Record<string, TakenOption> = {};
  for (const [name, { options }] of entries) {
    for (const [key, option] of Object.entries(options)) {
      all[key] = { ...option, formats: [...(all[key]?.formats ?? []), name] };
    }
  }
  return all as Record<FormatOptionName, TakenOption>;
}
