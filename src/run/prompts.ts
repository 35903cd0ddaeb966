import { raise, TesseraError } from '../base/index.ts';
import type { StagePlan } from '../recipe/index.ts';
import { templateFault } from './ending.ts';
import type { Parts } from './parts.ts';
import { stageTemplate } from './rows.ts';

/**
 * Reads the templates of all stages before the first begins, so that the last is not found wrong when the others are done.
 * @throws TesseraError with the faults of all of them
 */
export function checkPrompts(stages: readonly StagePlan[], parts: Parts): void {
  const faults = stages.map((stage) => {
    try {
      return templateFault(stage, stageTemplate(stage, parts), parts);
    } catch (error) {
      if (error instanceof TesseraError) return error;
      throw error;
    }
  });
  raise(faults.filter((fault) => fault !== undefined));
}
