// Says what content blocks a message holds, kind and size of each: how a test sees what reached the
// model of a picture, a document or a tool's output.

import type Anthropic from '@anthropic-ai/sdk';

type Block = Exclude<Anthropic.ToolResultBlockParam['content'], string | undefined>[number];
type Source = Anthropic.ImageBlockParam['source'] | Anthropic.DocumentBlockParam['source'];

/** Lists the blocks of a user message; its own texts are left out, they are the program. */
export function describeBlocks(blocks: readonly Anthropic.ContentBlockParam[]): string {
  const described = blocks.flatMap((block) => (block.type === 'text' ? [] : [describe(block)]));
  return described.length === 0 ? 'no blocks but text' : described.join(', ');
}

function describe(block: Anthropic.ContentBlockParam | Block): string {
  switch (block.type) {
    case 'text':
      return `text ${counted(block.text.length, 'character')}`;
    case 'image':
    case 'document':
      return `${block.type} ${describeSource(block.source)}`;
    case 'search_result':
      return `search_result ${block.source} (${block.content.map(describe).join(', ')})`;
    case 'tool_result': {
      const { content = [] } = block;
      const inner = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
      const error = block.is_error === true ? ' error' : '';
      return `tool_result${error} (${(inner as Block[]).map(describe).join(', ')})`;
    }
    default:
      return block.type;
  }
}

function describeSource(source: Source): string {
  switch (source.type) {
    case 'base64':
      return `${source.media_type} ${counted(Buffer.byteLength(source.data, 'base64'), 'byte')}`;
    case 'text':
      return `${source.media_type} ${counted(Buffer.byteLength(source.data), 'byte')}`;
    case 'url':
      return `url ${source.url}`;
    case 'file':
      return `file ${source.file_id}`;
    case 'content': {
      const { content } = source;
      const inner = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
      return `content (${(inner as Block[]).map(describe).join(', ')})`;
    }
  }
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
