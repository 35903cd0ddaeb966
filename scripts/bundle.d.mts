export declare function bundleCommand(folder: string): Promise<void>;
