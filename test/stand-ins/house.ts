import { tasks } from '../../src/eval/tasks/catalog.ts';
import { architectures, systems } from '../../src/models/systems/index.ts';
import { methods } from '../../src/train/methods/index.ts';
import { patchwork, patchworkRecipe } from './patchwork.ts';
import { pointing } from './pointing.ts';
import { preference } from './preference.ts';
import { translator, translatorRecipe } from './translator.ts';

// One line a table, as it would be for a system of the house. Imported before any room that reads the tables.
Object.assign(systems, { patchwork, translator });
Object.assign(architectures, { patchwork: patchworkRecipe, translator: translatorRecipe });
Object.assign(methods, { preference });
Object.assign(tasks, { pointing });
