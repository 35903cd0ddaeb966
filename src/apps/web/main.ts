// The entry of the bundle for browsers: models of folders that a server offers, in the page.
import { dropFolder } from '../../files/index.ts';
import { loadForGeneration, type SpeakerParts } from '../../generate/index.ts';
import { fetchFolder } from '../../models/index.ts';
import { openWebEngine, type WebEngineOptions } from '../../runtime/index.ts';

export { openConversation, scoreAnswer } from '../../generate/index.ts';

/**
 * Fetches a model folder and makes it ready to speak.
 * @param url of the folder, relative to the page. Images of a conversation are URLs too.
 * @example const chat = openConversation(await fetchModel('/models/llava', { assets: '/onnxruntime/' }));
 */
export async function fetchModel(url: string, options: WebEngineOptions): Promise<SpeakerParts> {
  const [engine] = await Promise.all([openWebEngine(options), fetchFolder(url)]);
  try {
    return await loadForGeneration(url, engine);
  } finally {
    // The weights are in the parameters by now.
    dropFolder(url);
  }
}
