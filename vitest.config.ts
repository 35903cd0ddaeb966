import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Half a minute and more each, the longest first. */
const long = ['webgpu', 'exact/kill', 'cli/cli', 'memory/memory', 'walk', 'browser', 'generate/decode', 'real-input'];

/** A long file that begins last would leave the other worker idle. */
class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => long.findIndex((name) => moduleId.endsWith(`${name}.test.ts`));
    const sorted = await super.sort(files);
    const first = sorted.filter((file) => place(file) >= 0).sort((a, b) => place(a) - place(b));
    return [...first, ...sorted.filter((file) => place(file) < 0)];
  }
}

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    globalSetup: 'test/support/built-command.ts',
    sequence: { sequencer: LongFilesFirst },
    // Two workers: the reference machine has two cores, and every worker may start its own engine.
    maxWorkers: 2,
  },
});
