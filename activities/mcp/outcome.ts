// What an MCP tool answered, as content blocks of a tool result: pure. Every block that leaves here
// can be stored and sent to the model: media that are not what they claim become a note, since one
// bad block would fail every later request of the session.

import * as z from 'zod';
import type { resultContent } from '../../protocol/content.ts';
import { DOCUMENT_TITLE_CHARS_MAX } from '../../protocol/field-limits.ts';
import { READ_MEDIA_BYTES_MAX } from '../../protocol/limits.ts';
import {
  MCP_CONTENT_BLOCKS_MAX,
  MCP_OUTCOME_BYTES_MAX,
} from '../../protocol/server-tool-limits.ts';
import { storableText } from '../../protocol/text.ts';
import { redact } from '../deps.ts';

/** sdk 1.11.0: BetaManagedAgentsAgentMCPToolResultEvent.content. */
export type ToolResultContent = z.infer<typeof resultContent>[number];

export interface McpOutcome {
  content: ToolResultContent[];
  isError: boolean;
}

const maybe = z.string().optional().catch(undefined);
const answer = z.looseObject({
  content: z.array(z.unknown()).default([]),
  structuredContent: z.record(z.string(), z.unknown()).optional().catch(undefined),
  isError: z.boolean().optional().catch(undefined),
});
const resource = z.looseObject({ uri: z.string(), mimeType: maybe, text: maybe, blob: maybe });
const block = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('image'), data: z.string(), mimeType: maybe }),
  z.looseObject({ type: z.literal('audio'), data: z.string(), mimeType: maybe }),
  z.looseObject({ type: z.literal('resource'), resource }),
  z.looseObject({
    type: z.literal('resource_link'),
    uri: z.string(),
    name: maybe,
    mimeType: maybe,
    description: maybe,
  }),
]);

/** An error of ours in the stead of an answer. */
export function errorOutcome(text: string): McpOutcome {
  return { content: [{ type: 'text', text: storableText(text) }], isError: true };
}

/**
 * Reads an answer to `tools/call`; null where it is none. The whole is bounded: what does not fit
 * is cut, and a last line says so.
 */
export function toOutcome(said: unknown, secrets: readonly string[]): McpOutcome | null {
  const parsed = answer.safeParse(said);
  if (!parsed.success) return null;
  const { content, structuredContent, isError = false } = parsed.data;
  const blocks = content.slice(0, MCP_CONTENT_BLOCKS_MAX).flatMap(toContent);
  if (blocks.length === 0 && structuredContent !== undefined) {
    blocks.push(textBlock(JSON.stringify(structuredContent)));
  }
  // The Messages API takes no error without words.
  if (blocks.length === 0 && isError) blocks.push(textBlock('The tool failed and said nothing.'));
  const clean = blocks.map((each) => withoutSecrets(each, secrets));
  const isShort = content.length <= MCP_CONTENT_BLOCKS_MAX;
  return { content: bounded(clean, isShort), isError };
}

function toContent(entry: unknown): ToolResultContent[] {
  const parsed = block.safeParse(entry);
  if (!parsed.success) return [textBlock('[content of a kind that cannot be shown]')];
  const { data } = parsed;
  switch (data.type) {
    case 'text':
      return data.text === '' ? [] : [textBlock(data.text)];
    case 'image':
      return [mediaBlock(data.data) ?? note('an image', data.mimeType, data.data)];
    case 'audio':
      return [note('a sound', data.mimeType, data.data)];
    case 'resource':
      return [resourceBlock(data.resource)];
    case 'resource_link': {
      const { uri, name, mimeType, description } = data;
      const words = [name, mimeType === undefined ? undefined : `(${mimeType})`, description];
      return [textBlock(['resource', uri, ...words.filter((word) => word)].join(' '))];
    }
  }
}

function resourceBlock(of: z.infer<typeof resource>): ToolResultContent {
  const { uri, mimeType, text, blob } = of;
  const title = storableText(uri.slice(0, DOCUMENT_TITLE_CHARS_MAX));
  if (blob === undefined) return textDocument(title, text ?? '');
  const media = mediaBlock(blob);
  if (media !== null) return media.type === 'document' ? { ...media, title } : media;
  const isText = /^text\/|[/+](json|xml|yaml)$/.test(mimeType ?? '');
  if (isText) return textDocument(title, Buffer.from(blob, 'base64').toString('utf8'));
  return note(`resource ${title}`, mimeType, blob);
}

function textDocument(title: string, text: string): ToolResultContent {
  if (text === '') return textBlock(`resource ${title} (empty)`);
  const source = { type: 'text', media_type: 'text/plain', data: storableText(text) } as const;
  return { type: 'document', source, title };
}

function textBlock(text: string): ToolResultContent {
  return { type: 'text', text: storableText(text) };
}

function note(what: string, mimeType: string | undefined, data: string): ToolResultContent {
  const kind = mimeType === undefined ? 'unknown type' : mimeType.slice(0, 100);
  return textBlock(`[${what} (${kind}, ${Math.floor(data.length * 0.75)} bytes), not shown]`);
}

/** An image or PDF by what its bytes are, whatever the server calls it; null for anything else. */
function mediaBlock(
  base64: string,
): Extract<ToolResultContent, { type: 'image' | 'document' }> | null {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length > READ_MEDIA_BYTES_MAX) return null;
  const type = mediaTypeOf(bytes);
  if (type === null) return null;
  const data = bytes.toString('base64');
  return type === 'application/pdf'
    ? { type: 'document', source: { type: 'base64', media_type: type, data } }
    : { type: 'image', source: { type: 'base64', media_type: type, data } };
}

function mediaTypeOf(bytes: Buffer): string | null {
  const head = bytes.toString('latin1', 0, 12);
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(head)) return 'image/gif';
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'image/webp';
  return head.startsWith('%PDF-') ? 'application/pdf' : null;
}

function withoutSecrets(of: ToolResultContent, secrets: readonly string[]): ToolResultContent {
  if (of.type === 'text') return { ...of, text: redact(of.text, secrets) };
  if (of.type !== 'document' || of.source.type !== 'text') return of;
  return { ...of, source: { ...of.source, data: redact(of.source.data, secrets) } };
}

function bounded(blocks: ToolResultContent[], isComplete: boolean): ToolResultContent[] {
  const kept: ToolResultContent[] = [];
  let bytesLeft = MCP_OUTCOME_BYTES_MAX;
  let isWhole = isComplete;
  for (const each of blocks) {
    const bytes = bytesOf(each);
    if (bytes <= bytesLeft) kept.push(each);
    else {
      isWhole = false;
      if (each.type === 'text' && bytesLeft > 0) kept.push(textBlock(cut(each.text, bytesLeft)));
    }
    bytesLeft -= Math.min(bytes, bytesLeft);
  }
  return isWhole ? kept : [...kept, textBlock('[the rest of the result is too large to be shown]')];
}

function bytesOf(of: ToolResultContent): number {
  if (of.type === 'text') return Buffer.byteLength(of.text);
  if (of.type === 'search_result') return Buffer.byteLength(JSON.stringify(of));
  return 'data' in of.source ? Buffer.byteLength(of.source.data) : 0;
}

function cut(text: string, bytes: number): string {
  return Buffer.from(text).subarray(0, bytes).toString('utf8');
}
