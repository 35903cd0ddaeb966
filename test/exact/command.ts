// The command, to be ended at a moment of its life.
import './preload.ts';
import '../../src/apps/cli/main.ts';
