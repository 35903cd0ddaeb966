import { Command, Option } from 'commander';
import type { Check } from '../doctor/check.ts';
import { good } from '../doctor/check.ts';
import { exitCodes, Stopped } from '../session.ts';
import { isPlain } from '../terminal/plain.ts';
import { outputWidth, wrap } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

type Signs = Readonly<Record<Check['state'], string>>;
const marks: Signs = { good: '✓', lacking: '–', broken: '✗' };
const letters: Signs = { good: 'ok', lacking: '--', broken: 'NO' };

export const doctorVerb: Verb = (session) =>
  new Command('doctor')
    .description('tell what is installed, what works, and how to mend what does not')
    .argument('[model]', 'a model whose files are checked in the place of the machine')
    .addOption(new Option('--provider <name>', 'try one provider alone'))
    .addHelpText('after', examples('doctor', 'doctor --json', 'doctor --provider webgpu', 'doctor runs/llava'))
    .action(async (model: string | undefined, { provider }: { provider?: string }) => {
      if (provider !== undefined) {
        const { version, threads } = await tryOne(provider);
        return session.result(
          { version, threads },
          () => `${provider} works: ONNX Runtime ${version}, ${threads} threads`,
        );
      }
      const checks = model === undefined ? await allChecks() : (await import('../doctor/model.ts')).modelChecks(model);
      const verdicts = model === undefined ? machineVerdicts : modelVerdicts;
      session.result(checks, () => checksText(checks, verdicts));
      if (checks.some(({ state }) => state === 'broken')) throw new Stopped(exitCodes.fault);
    });

async function tryOne(name: string) {
  const { asTesseraError, nearest, TesseraError } = await import('../../../base/index.ts');
  const { providers, tryProvider } = await import('../../../runtime/index.ts');
  const known = providers.find((provider) => provider.name === name);
  if (known) {
    const { plainReason } = await import('../doctor/providers.ts');
    return tryProvider(known.name).catch((error: unknown) => {
      const { code, message } = asTesseraError(error, { code: 'doctor/provider' });
      const fault = { code, message: plainReason(message), path: name, remedy: known.remedy };
      throw new TesseraError(fault, { cause: error });
    });
  }
  const names = providers.map((provider) => provider.name);
  const near = nearest(name, names);
  const remedy = near && `did you mean ${near}?`;
  const fault = {
    code: 'doctor/provider',
    message: 'no provider has this name',
    expected: names.join(', '),
    got: name,
  };
  throw new TesseraError({ ...fault, ...(remedy && { remedy }) });
}

async function allChecks(): Promise<Check[]> {
  const { machineChecks } = await import('../doctor/machine.ts');
  const { packageChecks } = await import('../doctor/packages.ts');
  const { providerChecks, tryApart } = await import('../doctor/providers.ts');
  const { providers } = await import('../../../runtime/index.ts');
  const { version } = await import('../../../files/index.ts');
  const trials = await Promise.all(providers.map(async (provider) => ({ provider, trial: await tryApart(provider) })));
  return [good('tessera', version()), ...machineChecks(), ...(await packageChecks()), ...providerChecks(trials)];
}

type Verdicts = readonly [good: string, broken: string];
const machineVerdicts: Verdicts = ['tessera can run here', 'tessera cannot run yet; mend what has a ✗'];
const modelVerdicts: Verdicts = ['no fault was found', 'the model is damaged'];

function checksText(checks: readonly Check[], [whole, damaged]: Verdicts): string {
  const signs = isPlain() ? letters : marks;
  const width = Math.max(...checks.map(({ name }) => name.length));
  const hung = (label: string, text: string) =>
    label + wrap(text, outputWidth() - label.length).join(`\n${' '.repeat(label.length)}`);
  const lines = checks
    .map(({ name, found, state }) => hung(`${signs[state]} ${name.padEnd(width)}  `, found))
    .join('\n');
  const remedies = checks.flatMap(({ name, state, remedy }) =>
    remedy ? [hung(`${signs[state]} ${name}: `, remedy)] : [],
  );
  const verdict = checks.some(({ state }) => state === 'broken') ? damaged : whole;
  return [lines, ...(remedies.length > 0 ? [remedies.join('\n')] : []), verdict].join('\n\n');
}
