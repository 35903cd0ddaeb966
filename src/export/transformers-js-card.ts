import type { SaveDType } from '../models/index.ts';

const seeing = `import { AutoProcessor, LlavaForConditionalGeneration, RawImage } from '@huggingface/transformers';

const processor = await AutoProcessor.from_pretrained('this-folder');
const model = await LlavaForConditionalGeneration.from_pretrained('this-folder');
const content = [{ type: 'image' }, { type: 'text', text: 'What is in the image?' }];
const prompt = processor.tokenizer.apply_chat_template([{ role: 'user', content }], {
  tokenize: false,
  add_generation_prompt: true,
});
const image = await RawImage.read('photo.jpg');
const inputs = await processor(image, prompt, { add_special_tokens: false });
const ids = await model.generate({ ...inputs, max_new_tokens: 64 });
console.log(processor.batch_decode(ids.slice(null, [inputs.input_ids.dims[1], null]), { skip_special_tokens: true })[0]);`;

const reading = `import { AutoModelForCausalLM, AutoTokenizer } from '@huggingface/transformers';

const tokenizer = await AutoTokenizer.from_pretrained('this-folder');
const model = await AutoModelForCausalLM.from_pretrained('this-folder');
const inputs = tokenizer('Once upon a time');
const ids = await model.generate({ ...inputs, max_new_tokens: 64 });
console.log(tokenizer.batch_decode(ids, { skip_special_tokens: true })[0]);`;

/** The README.md of a folder for transformers.js. */
export function transformersJsCard(sees: boolean, dtype: SaveDType): string {
  const weights = dtype === 'float32' ? 'float32' : `${dtype}, widened to float32 as a graph begins`;
  return `---
library_name: transformers.js
---

# For transformers.js

\`onnx/\` holds the graphs, each with its weights (${weights}) beside it. Run it as it stands, in Node or on a page:

\`\`\`js
${sees ? seeing : reading}
\`\`\`

Ask one prompt at a time: the cached attention reads texts from their beginning, and transformers.js pads the shorter ones of a batch
in front.
`;
}
