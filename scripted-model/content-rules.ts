// The rules for what is not plain text in a message: pictures, documents and search results, which
// may stand in a user message or in a tool result, as the upstream accepts them: the kind of
// source, the media types, and bytes that are what they say. sdk 1.11.0: ImageBlockParam,
// DocumentBlockParam, SearchResultBlockParam.

type Block = Record<string, unknown>;
/** Refuses a block with the path of its field, '' being the block itself. */
type Refuse = (field: string, message: string) => never;

const IMAGE_STARTS: Readonly<Record<string, RegExp>> = {
  'image/png': /^\x89PNG/,
  'image/jpeg': /^\xff\xd8\xff/,
  'image/gif': /^GIF8[79]a/,
  'image/webp': /^RIFF.{4}WEBP/s,
};
const PDF_START: Readonly<Record<string, RegExp>> = { 'application/pdf': /^%PDF/ };
const START_BYTES = 12;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const FIELDS: Readonly<Record<string, ReadonlySet<string>>> = {
  image: new Set(['type', 'source', 'cache_control', 'transformations']),
  document: new Set(['type', 'source', 'cache_control', 'citations', 'context', 'title']),
  search_result: new Set('type content source title cache_control citations'.split(' ')),
};
/** sdk 1.11.0: ToolResultBlockParam.content. */
const IN_RESULTS: ReadonlySet<unknown> = new Set(
  'text image search_result document tool_reference browser_state'.split(' '),
);

/** Says whether a block is of a kind that is checked here. */
export function isRichContent(type: unknown): boolean {
  return typeof type === 'string' && Object.hasOwn(FIELDS, type);
}

/** Checks a picture, a document or a search result. */
export function checkRichContent(block: Block, refuse: Refuse): void {
  const type = block['type'] as string;
  for (const key in block) {
    if (!FIELDS[type]!.has(key)) return refuse(key, `no such field is known in ${type}`);
  }
  if (type === 'search_result') checkSearchResult(block, refuse);
  else checkSource(block, refuse);
}

/** Checks the blocks inside a tool result. */
export function checkResultContent(
  blocks: readonly unknown[],
  isError: boolean,
  refuse: Refuse,
): void {
  for (const [at, block] of blocks.entries()) {
    if (!isBlock(block)) return refuse(`content.${at}`, 'a block is expected');
    const { type } = block;
    if (!IN_RESULTS.has(type)) {
      return refuse(`content.${at}.type`, `${[...IN_RESULTS].join(', ')} may be in a result`);
    }
    if (isError && type !== 'text') {
      return refuse('content', 'a result with `is_error` holds text alone');
    }
    if (type === 'text') checkInnerText(block, `content.${at}`, refuse);
    if (isRichContent(type)) {
      checkRichContent(block, (field, message) =>
        refuse(field === '' ? `content.${at}` : `content.${at}.${field}`, message),
      );
    }
  }
}

function checkSearchResult({ source, title, content }: Block, refuse: Refuse): void {
  if (typeof source !== 'string' || source === '') return refuse('source', 'a string is expected');
  if (typeof title !== 'string' || title === '') return refuse('title', 'a string is expected');
  checkTexts(content, 'content', refuse);
}

function checkSource({ type, source }: Block, refuse: Refuse): void {
  if (!isBlock(source)) return refuse('source', 'the field is required');
  const isImage = type === 'image';
  switch (source['type']) {
    case 'base64':
      return checkBytes(source, isImage ? IMAGE_STARTS : PDF_START, refuse);
    case 'url':
      if (!isWebUrl(source['url'])) refuse('source.url', 'an http or https URL is expected');
      return;
    case 'file':
      if (typeof source['file_id'] !== 'string') refuse('source.file_id', 'a file id is expected');
      return;
    case 'text':
      if (isImage) break;
      if (source['media_type'] !== 'text/plain')
        refuse('source.media_type', 'text/plain is expected');
      if (typeof source['data'] !== 'string') refuse('source.data', 'a string is expected');
      return;
    case 'content':
      if (isImage) break;
      return checkInner(source['content'], refuse);
  }
  const kinds = isImage ? 'base64, url, file' : 'base64, text, content, url, file';
  refuse('source.type', `one of ${kinds} is expected`);
}

function checkBytes(
  { media_type: mediaType, data }: Block,
  starts: Readonly<Record<string, RegExp>>,
  refuse: Refuse,
): void {
  if (typeof mediaType !== 'string' || !Object.hasOwn(starts, mediaType)) {
    return refuse('source.media_type', `one of ${Object.keys(starts).join(', ')} is expected`);
  }
  if (typeof data !== 'string' || data === '' || !BASE64.test(data)) {
    return refuse('source.data', 'base64 is expected');
  }
  const start = Buffer.from(data.slice(0, 2 * START_BYTES), 'base64').toString('latin1');
  if (!starts[mediaType]!.test(start)) refuse('source.data', `the bytes are not ${mediaType}`);
}

function checkInner(content: unknown, refuse: Refuse): void {
  if (typeof content === 'string') return;
  if (!Array.isArray(content)) return refuse('source.content', 'text or blocks are expected');
  for (const [at, block] of (content as unknown[]).entries()) {
    const path = `source.content.${at}`;
    if (!isBlock(block)) return refuse(path, 'a block is expected');
    if (block['type'] === 'text') checkInnerText(block, path, refuse);
    else if (block['type'] === 'image') {
      checkRichContent(block, (field, message) => refuse(`${path}.${field}`, message));
    } else refuse(`${path}.type`, 'text or image is expected');
  }
}

function checkTexts(content: unknown, path: string, refuse: Refuse): void {
  if (!Array.isArray(content) || content.length === 0) {
    return refuse(path, 'text blocks are expected');
  }
  for (const [at, block] of (content as unknown[]).entries()) {
    if (!isBlock(block) || block['type'] !== 'text') {
      return refuse(`${path}.${at}`, 'a text block is expected');
    }
    checkInnerText(block, `${path}.${at}`, refuse);
  }
}

function checkInnerText({ text }: Block, path: string, refuse: Refuse): void {
  if (typeof text !== 'string') return refuse(`${path}.text`, 'a string is expected');
  if (text === '') refuse(path, 'a text block may not be empty');
}

function isWebUrl(url: unknown): boolean {
  return typeof url === 'string' && /^https?:\/\/\S+$/.test(url);
}

function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
