/** What a model folder holds beside config and weights, and a save carries over unchanged. */
export const sideFileNames: readonly string[] = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'preprocessor_config.json',
  'processor_config.json',
  'video_preprocessor_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
];
