export declare function bundleCommand(folder: string, entry?: string): Promise<void>;
