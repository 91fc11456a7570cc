// Who may import whom, as one table: the rooms, files and packages that each room may reach.
// The reasons are in docs/ARCHITECTURE.md; lint says the same for the editor, this table says it
// completely (a package or a room that is not named here is refused).

export interface RoomRule {
  /** rooms it may import values from */
  rooms: readonly string[];
  /** rooms it may import only types from */
  typeRooms?: readonly string[];
  /** single files of other rooms it may import values from */
  files?: readonly string[];
  /** packages it may import values from; `node:*` is any built-in */
  packages: readonly string[];
  /** packages it may import only types from */
  typePackages?: readonly string[];
  why: string;
}

/** what the web tools are made of (docs/decisions/0011) */
const WEB = ['undici', 'ipaddr.js', 'html-to-text', 'unpdf', 'tldts'];
const TEMPORAL = ['@temporalio/activity', '@temporalio/common'];
const MCP = ['@modelcontextprotocol/sdk', 'ajv'];

export const ROOM_RULES: Readonly<Record<string, RoomRule>> = {
  protocol: {
    rooms: [],
    packages: ['zod', 'node:crypto', 'tldts'],
    typePackages: ['@anthropic-ai/sdk', 'anthropic-sdk-0-86'],
    why: 'protocol is the lowest room: shapes, ids, errors and limits, no IO',
  },
  store: {
    rooms: ['protocol'],
    packages: ['node:*', 'postgres'],
    typePackages: ['pino'],
    why: 'store is SQL above protocol; it knows neither HTTP nor Temporal',
  },
  sandbox: {
    rooms: ['protocol'],
    packages: ['node:*', 'dockerode', 'tar-stream', 'esbuild', '@anthropic-ai/sdk'],
    typePackages: ['pino'],
    why: 'sandbox knows containers and commands, not sessions or events',
  },
  'scripted-model': {
    rooms: [],
    files: ['protocol/limits.ts'],
    packages: ['node:*'],
    typePackages: ['@anthropic-ai/sdk'],
    why: 'scripted-model is a program of its own that is only ever called over HTTP',
  },
  activities: {
    rooms: ['store', 'sandbox', 'protocol'],
    packages: [
      'node:*',
      '@anthropic-ai/sdk',
      '@anthropic-ai/bedrock-sdk',
      '@anthropic-ai/vertex-sdk',
      'zod',
      ...TEMPORAL,
      ...WEB,
      ...MCP,
    ],
    typePackages: ['pino'],
    why: 'activities are effects over store and sandbox; they do not decide what comes next',
  },
  workflows: {
    rooms: ['protocol'],
    typeRooms: ['activities'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
    typePackages: ['@anthropic-ai/sdk'],
    why: 'workflow code is replayed: no IO may reach its bundle',
  },
  api: {
    rooms: ['store', 'protocol'],
    files: ['workflows/messages.ts'],
    packages: [
      'node:*',
      'hono',
      '@hono/node-server',
      '@temporalio/client',
      '@temporalio/common',
      'zod',
    ],
    typePackages: ['pino', '@anthropic-ai/sdk'],
    why: 'api translates HTTP to store and signals; it holds no state and runs nothing',
  },
  main: {
    rooms: ['api', 'activities', 'sandbox', 'store', 'protocol'],
    files: ['workflows/messages.ts'],
    packages: ['*'],
    why: 'main composes; workflows go to the bundler by path, the scripted model is a process',
  },
};
