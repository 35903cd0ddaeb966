import { type Fault, TesseraError } from '../../base/index.ts';
import { checkImage } from '../image/index.ts';
import { mediaPaths } from '../media.ts';
import { DataReport } from '../report.ts';
import type { Row, Sample } from '../row.ts';
import type { ReadOptions } from './read.ts';
import { formatOf, streamFitting } from './read.ts';
import type { FormatName } from './table.ts';

/**
 * As `readSamples`, and looks at every image that a row shows; a row whose image cannot be read is refused.
 * @param onRow called after each row with the numbers of rows seen and refused; what it throws ends the reading
 * @throws as `streamSamples`
 */
export async function readUsableSamples(
  path: string,
  options: ReadOptions = {},
  onRow: (done: number, refused: number) => void | Promise<void> = () => {},
): Promise<{ samples: Sample[]; format: FormatName; report: DataReport }> {
  const format = formatOf(path, options);
  const report = new DataReport();
  report.collect(path, format, []);
  const faultOf = imageFaults();
  const samples: Sample[] = [];
  for (const outcome of streamFitting(path, options)) {
    const fault = 'refused' in outcome ? outcome.refused : await faultOf(outcome.kept);
    if (fault) report.reject(path, format, fault);
    else if ('kept' in outcome) {
      report.keep(path, format);
      samples.push(outcome.kept);
    }
    await onRow(report.kept + report.rejected, report.rejected);
    if (samples.length === options.count) break;
  }
  return { samples, format, report };
}

/** What is wrong with the images of a row; an image that many rows show is looked at once. */
function imageFaults(): (sample: Sample) => Promise<Fault | undefined> {
  const known = new Map<string, Fault | undefined>();
  const faultOf = async (path: string): Promise<Fault | undefined> => {
    if (known.has(path)) return known.get(path);
    const fault = await faultOfImage(path);
    // A data URI is as long as its image, and seldom comes twice.
    if (!/^data:/i.test(path)) known.set(path, fault);
    return fault;
  };
  const faultOfRow = async ({ where, media }: Row): Promise<Fault | undefined> => {
    for (const medium of media) {
      const copied = medium.kind === 'image' && medium.inside !== undefined;
      for (const path of mediaPaths(medium)) {
        const fault = await faultOf(path);
        if (fault) return { ...fault, path: copied ? where : `${where}: ${fault.path}` };
      }
    }
    return undefined;
  };
  return async ({ views }) => {
    for (const row of Object.values(views)) {
      const fault = await faultOfRow(row);
      if (fault) return fault;
    }
    return undefined;
  };
}

async function faultOfImage(path: string): Promise<Fault | undefined> {
  try {
    await checkImage(path);
    return undefined;
  } catch (error) {
    if (error instanceof TesseraError) return error.toJSON();
    throw error;
  }
}
