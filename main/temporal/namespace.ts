// Makes a Temporal namespace fit for sessions: it exists, keeps closed runs for thirty days and
// knows our search attributes. Idempotent, run at every start, also against a Temporal of the
// operator's own, because an unregistered search attribute makes every workflow start fail.
import type { Connection } from '@temporalio/client';
import type { Logger } from 'pino';
import { StartError } from '../data-directory.ts';

/** The session's search attributes, all of type Keyword. */
export const SEARCH_ATTRIBUTES = ['HoldfastStatus', 'HoldfastAgent', 'HoldfastWorkspace'] as const;

const RETENTION_SECONDS = 720 * 3_600;
/** `IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API */
const KEYWORD = 2;
/** gRPC status codes that decide something here */
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

export interface NamespaceOptions {
  namespace: string;
  /** ours to configure: its retention is raised as well */
  embedded: boolean;
  log: Logger;
}

/**
 * Registers what is missing; throws StartError with the command to run where that is not allowed.
 */
export async function prepareNamespace(
  connection: Connection,
  options: NamespaceOptions,
): Promise<void> {
  const retention = await retentionSeconds(connection, options.namespace);
  if (retention === null) await registerNamespace(connection, options.namespace);
  else if (options.embedded && retention < RETENTION_SECONDS) {
    await connection.workflowService.updateNamespace({
      namespace: options.namespace,
      config: { workflowExecutionRetentionTtl: { seconds: RETENTION_SECONDS as never } },
    });
  }
  await registerSearchAttributes(connection, options);
}

/** null: there is no such namespace. */
async function retentionSeconds(connection: Connection, namespace: string): Promise<number | null> {
  try {
    const found = await connection.workflowService.describeNamespace({ namespace });
    return Number(found.config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  } catch (error) {
    if (grpcCode(error) === NOT_FOUND) return null;
    throw error;
  }
}

async function registerNamespace(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as never },
    });
  } catch (error) {
    if (grpcCode(error) === ALREADY_EXISTS) return;
    throw new StartError(
      `Temporal has no namespace "${namespace}" and does not let this server make it ` +
        `(${reasonOf(error)}): create it, or set HOLDFAST_TEMPORAL_NAMESPACE.`,
    );
  }
}

async function registerSearchAttributes(
  connection: Connection,
  { namespace, log }: NamespaceOptions,
): Promise<void> {
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = SEARCH_ATTRIBUTES.filter((name) => known.customAttributes[name] === undefined);
  if (missing.length === 0) return;
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
    log.info(`Temporal search attributes registered: ${missing.join(', ')}`);
  } catch (error) {
    // Two processes of ours may start at once.
    if (grpcCode(error) === ALREADY_EXISTS) return;
    const flags = missing.map((name) => `--name ${name} --type Keyword`).join(' ');
    throw new StartError(
      `Temporal does not let this server register search attributes (${reasonOf(error)}): run ` +
        `\`temporal operator search-attribute create --namespace ${namespace} ${flags}\`.`,
    );
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function grpcCode(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}
