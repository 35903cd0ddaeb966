import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { findChromium } from '../../src/apps/cli/doctor/chromium.ts';
import { sharedEngine } from './evaluate.ts';

/** koffi unloads a library whose handle is collected. */
let vulkan: unknown;

/**
 * Makes the software Vulkan device that Chromium brings along the GPU of this process. WebGPU asks for Vulkan by the
 * name of its library, and a library that is loaded already answers to it.
 * @returns why there is none, or undefined
 */
export async function useSoftwareGpu(): Promise<string | undefined> {
  const chromium = findChromium();
  if (chromium.path === undefined) return `Chromium: ${chromium.missing}`;
  const folder = dirname(chromium.path);
  const [device, library] = [join(folder, 'vk_swiftshader_icd.json'), join(folder, 'libvulkan.so.1')];
  if (!existsSync(device) || !existsSync(library)) return `${folder} holds no software Vulkan device`;
  // The C API's engine sets koffi up, which it takes only before its first library.
  await sharedEngine('c-api');
  process.env.VK_ICD_FILENAMES = device;
  vulkan = koffi.load(library);
  return vulkan ? undefined : `${library} cannot be loaded`;
}
