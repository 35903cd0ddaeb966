import { converse } from '../language/conversation.ts';
import { drawingRequest } from '../language/drawing.ts';
import type { Exchange } from '../language/reasoning.ts';
import type { Scene } from '../scene.ts';
import { imageName } from './coco.ts';
import type { LlavaRow } from './llava.ts';
import { jsonList, stream, type WorldSettings, type WorldTaskRecord } from './writer.ts';

/** A request that an image answers; one in three goes on with a question or two about what was drawn. */
function drawingRow(scene: Scene, settings: WorldSettings): LlavaRow {
  const random = stream(settings, 'drawing', scene);
  const drawn: Exchange = { question: drawingRequest(scene, random), answer: '<image>' };
  const asked = random.chance(1 / 3) ? converse(scene, { ...settings.conversation, turns: [1, 2] }, random) : [];
  const image = imageName(scene);
  return {
    id: `${image.slice(0, -4)}-drawing`,
    image,
    conversations: [drawn, ...asked].flatMap(({ question, answer }) => [
      { from: 'human' as const, value: question },
      { from: 'gpt' as const, value: answer },
    ]),
  };
}

export const drawingTask = {
  describe: 'requests for images, answered by images, some with questions about them',
  training: { file: 'drawing.json', format: 'llava' },
  uses: ['topics'],
  write: (scenes, settings) => ({ 'drawing.json': jsonList(scenes.map((scene) => drawingRow(scene, settings))) }),
} as const satisfies WorldTaskRecord;
