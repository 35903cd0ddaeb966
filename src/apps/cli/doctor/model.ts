import { checkManifest, hasManifest } from '../../../files/index.ts';
import { modelPlace, openCheckpoint } from '../../../models/index.ts';
import { broken, type Check, good, lacking } from './check.ts';

/**
 * Whether a model's files are those that were written, by their checksums, and its weights complete by their headers.
 * @throws TesseraError for a folder that holds no model, and for weights that are not whole
 */
export function modelChecks(where: string): Check[] {
  const { folder, adapter } = modelPlace(where);
  const weights = openCheckpoint(folder);
  const types = [...weights.types].map(([type, { tensors }]) => `${tensors} of ${type}`).join(', ');
  return [
    good('weights', `${weights.tensors.size} tensors in ${folder}: ${types}`),
    ...[folder, adapter].flatMap((place, i, all) =>
      place === undefined || all.indexOf(place) < i ? [] : [files(place)],
    ),
  ];
}

function files(folder: string): Check {
  if (!hasManifest(folder)) {
    const remedy = 'folders that tessera writes have them in manifest.json; `tessera export` writes such a one';
    return lacking('checksums', `none in ${folder}`, remedy);
  }
  const fault = checkManifest(folder);
  if (!fault) return good('checksums', `the files in ${folder} are as they were written`);
  const found = [fault.path, fault.message, fault.got && `got ${fault.got}`].filter(Boolean).join(', ');
  return broken(
    'checksums',
    found,
    'copy the folder again, or export it anew; a change that was meant makes it another',
  );
}
