/**
 * What the built-in prompts say whatever the row, as a trained vocabulary learns it. The texts are those that the committed
 * vocabularies were trained with, to the character: some hold a few signs of the template's own language, and another
 * spelling would give other pieces.
 */
export const promptWords: readonly string[] = [
  'A chat between a curious human and an artificial intelligence assistant. ',
  "The assistant gives helpful, detailed, and polite answers to the human's questions.\\n\\n",
  'A chat between a curious human and an artificial intelligence assistant. ',
  "The assistant gives helpful, detailed, and polite answers to the human's questions. ",
  "USER: ' + body(message) + ",
  'A chat between a curious user and an artificial intelligence assistant. ',
  "The assistant gives helpful, detailed, and polite answers to the user's questions. ",
  "USER: ' + body(message) + ",
];
