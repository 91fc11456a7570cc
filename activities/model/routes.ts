// Which endpoint serves a model id, with which key and under which name. First match wins; the last
// route matches everything. Keys stay in here and in the client: a route can be logged without.

import { isMatch } from '../../protocol/models/model-catalog.ts';

/** A Messages endpoint: Anthropic's, a gateway's, a local server's. */
export interface MessagesEndpoint {
  type: 'messages';
  baseUrl: string;
  apiKey: string;
}

/** Amazon Bedrock; without keys of its own it takes what AWS's chain of credentials finds. */
export interface BedrockEndpoint {
  type: 'bedrock';
  region: string;
  /** null: the region's own address */
  baseUrl: string | null;
  /** a Bedrock API key, sent instead of a signature */
  apiKey: string | null;
  /** what requests are signed with */
  credentials: { accessKeyId: string; secretKey: string; sessionToken: string | null } | null;
}

/** Google Cloud, with Google's application default credentials. */
export interface VertexEndpoint {
  type: 'vertex';
  region: string;
  project: string;
  /** null: the region's own address */
  baseUrl: string | null;
}

export type ModelEndpoint = MessagesEndpoint | BedrockEndpoint | VertexEndpoint;

export interface ModelRoute {
  /** model id, or a beginning of ids ending in `*` */
  model: string;
  endpoint: ModelEndpoint;
  /** the endpoint's name for the model, `*` in it standing for the id; null: the id itself */
  upstreamModel: string | null;
  /** our scripted model: it is told the attempt, which `# fail` counts by */
  isScripted: boolean;
}

/** An endpoint whose package is not installed; the message is a sentence for the operator. */
export class EndpointPackageError extends Error {
  override readonly name = 'EndpointPackageError';
}

/** The route of a model id; throws when a table without a catch-all has none. */
export function findRoute(routes: readonly ModelRoute[], modelId: string): ModelRoute {
  const found = routes.find((route) => isMatch(route.model, modelId));
  if (found === undefined) throw new Error(`no route serves the model ${modelId}`);
  return found;
}

/** What the endpoint of a route calls a model. */
export function upstreamModel(route: ModelRoute, modelId: string): string {
  return route.upstreamModel?.replace('*', () => modelId) ?? modelId;
}
