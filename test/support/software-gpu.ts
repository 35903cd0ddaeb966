import { existsSync } from 'node:fs';
import koffi from 'koffi';

const folders = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'];

/**
 * Makes the software Vulkan device that Chromium brings along the GPU of this process. WebGPU asks for Vulkan by the
 * name of its library, and a library that is loaded already answers to it.
 * @returns why there is none, or undefined
 */
export function useSoftwareGpu(): string | undefined {
  const folder = folders.find((at) => existsSync(`${at}/vk_swiftshader_icd.json`) && existsSync(`${at}/libvulkan.so.1`));
  if (!folder) return 'no Chromium with its software Vulkan device is installed (apt-get install chromium)';
  process.env.VK_ICD_FILENAMES = `${folder}/vk_swiftshader_icd.json`;
  koffi.load(`${folder}/libvulkan.so.1`);
  return undefined;
}
