import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { selector } from '../base/index.ts';
import { packaged } from '../files/index.ts';
import { catalog, formatRecipe, loadPlan, parsePlan } from './index.ts';

const files = readdirSync(packaged('recipes'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml') && file !== 'catalog.yaml' && !file.startsWith('grids'))
  .map((file) => join('recipes', file));

/** The lines of a recipe's header from a label to the next. */
function headerLines(text: string, label: string): string[] {
  const header = text.slice(0, text.search(/^[^#]/m)).split('\n');
  const begin = header.findIndex((line) => line.startsWith(`# ${label}:`));
  const length = header.slice(begin + 1).findIndex((line) => !line.startsWith('#   '));
  return header.slice(begin, begin + 1 + length);
}

/** The `key=value` words of a line, comments in parentheses left out. */
function assignments(line: string): string[] {
  return line
    .replace(/\(.*?\)/g, '')
    .split(/\s+/)
    .filter((word) => word.includes('='));
}

describe.each(files)('%s', (file) => {
  const text = readFileSync(packaged(file), 'utf8');

  it('fits one screen, cites its paper, and says what it needs and how it runs', () => {
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(60);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(text).toMatch(/arXiv:\d{4}\.\d{5}/);
    for (const label of ['Needs', 'Run', 'Override']) expect(text).toContain(`# ${label}:`);
    expect(text).toContain(`npx tessera train ${file}`);
  });

  it('is valid as its header runs it, and with the overrides that its header shows', () => {
    const run = headerLines(text, 'Run').flatMap(assignments);
    const plan = parsePlan(text, file, run);
    expect(plan.stages.length).toBeGreaterThan(0);
    for (const line of headerLines(text, 'Override')) parsePlan(text, file, [...run, ...assignments(line)]);
  });

  it('gives the same plan again from its resolved form', () => {
    const plan = parsePlan(text, file, headerLines(text, 'Run').flatMap(assignments));
    expect(parsePlan(formatRecipe(plan.resolved), file)).toEqual(plan);
  });
});

describe('catalog', () => {
  it('lists the thirty systems of the survey, each with its paper, under names of their own', () => {
    const systems = catalog.filter(({ family }) => family !== 'Backbone');
    expect(systems).toHaveLength(30);
    expect(new Set(catalog.map(({ name }) => name)).size).toBe(catalog.length);
    expect(new Set(catalog.map(({ cite }) => cite)).size).toBe(catalog.length);
  });

  it('names recipes that are there, of that system, and leaves none out', () => {
    for (const system of catalog.filter(({ recipe }) => recipe !== undefined)) {
      expect(loadPlan(system.name).system).toBe(system.name);
    }
    const named = files.map((file) => /^system: (.*)$/m.exec(readFileSync(packaged(file), 'utf8'))?.[1]);
    const working = catalog.filter(({ recipe }) => recipe !== undefined).map(({ name }) => name);
    expect(new Set(named)).toEqual(new Set(working));
  });
});

describe('what LLaVA trains', () => {
  const paths = [
    'vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight',
    'multi_modal_projector.linear_1.weight',
    'language_model.model.layers.0.mlp.up_proj.weight',
    'language_model.lm_head.weight',
  ];
  const trained = (name: string, overrides: string[]) =>
    loadPlan(name, overrides).stages.map((stage) => paths.map(selector(stage.trainable)));

  it('is the projector in stage 1, the projector and the language model in both parts of stage 2', () => {
    expect(trained('llava', [])).toEqual([
      [false, true, false, false],
      [false, true, true, true],
      [false, true, true, true],
    ]);
  });

  it('is the projector beside adapters in both parts of stage 2 when adapters are asked for', () => {
    expect(trained('llava-1.5', ['lora.r=8'])).toEqual([
      [false, true, false, false],
      [false, true, false, false],
      [false, true, false, false],
    ]);
    const [align, look, instruct] = loadPlan('llava-1.5', ['lora.r=8']).stages;
    expect(align?.lora).toBeUndefined();
    expect(look?.lora).toEqual(instruct?.lora);
    expect(instruct?.lora).toEqual({ r: 8, alpha: 16, dropout: 0, rslora: false, dora: false, targets: 'all-linear' });
  });

  it('opens again what plus names', () => {
    expect(trained('llava-1.5', ['lora.r=8', 'lora.plus=language_model.lm_head.**'])[1]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });
});
