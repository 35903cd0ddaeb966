import { z } from 'zod';
import { builderNames, builders } from '../feedback/index.ts';
import { option, optional, section } from './option.ts';

const count = z.int().positive().max(1_000_000);
const file = z.string().min(1);

const url = z
  .url({ protocol: /^https?$/, error: 'expected an address that begins with http:// or https://' })
  .refine((text) => !/^https?:\/\/[^/]*@/i.test(text), {
    error: 'a key belongs into an environment variable: see key_env',
  });

const replyLength = 'for http, model: longest reply in tokens; longer ones are refused and counted';

/** Judges, by the kind that a recipe names. */
const judgeSection = z.discriminatedUnion('kind', [
  section({
    kind: option(
      z.literal('oracle'),
      'who judges: oracle reads the scenes of tabletop images, http asks a server in words, model a model on this machine',
    ),
    noise: optional(
      z.number().min(0).max(1),
      'for oracle: probability that what it finds of a statement is turned over',
    ),
  }),
  section({
    kind: option(z.literal('http'), 'who judges: a model behind an OpenAI-compatible API'),
    url: option(url, 'for http: address of the API, such as https://api.openai.com/v1'),
    model: option(z.string().min(1), 'for http: the model to ask'),
    key_env: optional(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of an environment variable, and not the key'),
      'for http: environment variable that holds the key; none is sent when absent',
    ),
    max_tokens: optional(count, replyLength),
    calls: optional(count, 'for http: most calls for the whole pair set, tries included; no bound when absent'),
    timeout: optional(z.number().positive().max(3600), 'for http: seconds that a call may take'),
    retries: optional(z.int().nonnegative().max(20), 'for http: tries after the first, with longer and longer waits'),
    concurrency: optional(count.max(64), 'for http: calls under way at a time'),
  }),
  section({
    kind: option(z.literal('model'), 'who judges: a model on this machine, in words'),
    from: option(file, 'for model: its run or model folder'),
    adapter: optional(file, 'for model: LoRA adapter in PEFT layout that is added to it'),
    max_tokens: optional(count, replyLength),
  }),
]);

/** The section `feedback`. @param data the sources that rows come from */
export function feedbackSection<D extends z.ZodType>(data: D) {
  const built = builderNames.map((name) => `${name}: ${builders[name].says}`).join('; ');
  return section({
    from: optional(file, 'run or model folder whose answers are judged'),
    adapter: optional(file, 'LoRA adapter in PEFT layout that is added to it'),
    builder: option(z.enum(builderNames), `how pairs are made; ${built}`),
    judge: option(judgeSection, 'who says what answers are worth'),
    data: option(z.array(data).min(1), 'rows whose first questions, each about one image, are asked'),
    prompts: optional(
      z.array(z.string().min(1)).min(1),
      'asked about the images of the rows, one drawn for each, in the place of their questions',
    ),
    count: optional(count, 'questions to ask, the first of the rows; all when absent'),
    answers: optional(count.max(64), 'answers to a question'),
    temperature: optional(z.number().min(0).max(100), 'of the draws; 0 takes the likeliest token'),
    top_p: optional(z.number().gt(0).max(1), 'draws from the likeliest tokens that make up this share'),
    max_tokens: optional(count, 'longest answer in tokens; longer ones are refused and counted'),
    seed: optional(
      z
        .int()
        .nonnegative()
        .max(2 ** 31 - 1),
      'seed of every draw',
    ),
    folder: optional(file, 'where the pair set goes'),
  });
}
