// Sandbox ids become names of containers, volumes and directories, so only harmless ones pass:
// whatever is refused here never reaches the engine or the file system.

const SANDBOX_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** True for a text that can name a container, a volume and a directory. */
export function isSandboxId(text: string): boolean {
  return SANDBOX_ID.test(text);
}
