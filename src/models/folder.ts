import { TesseraError } from '../base/index.ts';
import { join, pathExists } from '../files/index.ts';

/** Where a run folder keeps the model that it has trained. */
export const trainedModel = 'model';

/**
 * The Hugging Face folder to load: the one given, or that of the run folder given.
 * @throws TesseraError `run/no-model`
 */
export function modelFolder(folder: string): string {
  const trained = join(folder, trainedModel);
  if (pathExists(join(trained, 'config.json'))) return trained;
  if (pathExists(join(folder, 'config.json'))) return folder;
  throw new TesseraError({
    code: 'run/no-model',
    message: 'the folder holds no model',
    path: folder,
    expected: 'a run folder whose training is over, or a Hugging Face folder with config.json',
    ...(!pathExists(folder) && { got: 'no such folder' }),
    ...(pathExists(join(folder, 'recipe.yaml')) && { remedy: `finish it with \`tessera resume ${folder}\`` }),
  });
}
