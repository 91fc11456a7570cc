// From the bytes of a download to a title and a text: what kind of thing it is, in which encoding,
// and who reads it. Text, JSON and Markdown stay as they are; pages and PDFs go to a thread.

import { WEB_CHARSET_WITHIN_BYTES } from '../../protocol/server-tool-limits.ts';
import type { Download } from './download.ts';
import type { Reader, ReadText } from './readable-text.ts';
import { WebFailure } from './web-outcome.ts';

type Kind = 'html' | 'pdf' | 'text';

export interface PageText extends ReadText {
  kind: Kind;
}

/**
 * The text of a download. Throws a WebFailure for media that have none, or that cannot be read in
 * the time and memory that reading has.
 */
export async function pageText(
  download: Download,
  read: Reader,
  signal: AbortSignal,
): Promise<PageText> {
  const kind = kindOf(download);
  if (kind === null) {
    const name = download.mediaType ?? 'a file of an unknown kind';
    throw new WebFailure('unsupported_content_type', `${name} cannot be read as text`);
  }
  if (kind === 'pdf') {
    const bytes = new Uint8Array(download.bytes);
    return { kind, ...(await read({ kind, bytes }, signal)) };
  }
  const text = decode(download, kind);
  if (kind === 'text') return { kind, title: '', text };
  return { kind, ...(await read({ kind, html: text, url: download.url.href }, signal)) };
}

const TEXT_TYPES =
  /^text\/|[/+](json|xml|yaml|x-yaml|toml|javascript|ecmascript|x-ndjson|jsonl|sql|x-sh|markdown)$/;

/** A type that says nothing is looked at; every other one is believed. */
function kindOf({ mediaType, bytes }: Download): Kind | null {
  if (mediaType === 'text/html' || mediaType === 'application/xhtml+xml') return 'html';
  if (mediaType === 'application/pdf') return 'pdf';
  if (mediaType !== null && mediaType !== 'application/octet-stream') {
    return TEXT_TYPES.test(mediaType) ? 'text' : null;
  }
  const start = bytes.subarray(0, WEB_CHARSET_WITHIN_BYTES).toString('latin1').trimStart();
  if (start.startsWith('%PDF-')) return 'pdf';
  if (/^<(!doctype html|html|head|body)[\s>]/i.test(start)) return 'html';
  return bytes.includes(0) || decodeAs('utf-8', bytes) === null ? null : 'text';
}

/**
 * The byte order mark, then the header, then the page itself say the encoding; a text that is
 * something else than it says is UTF-8 where that fits, else Windows-1252, which always does.
 */
function decode({ bytes, charset }: Download, kind: Kind): string {
  const start = bytes.subarray(0, WEB_CHARSET_WITHIN_BYTES).toString('latin1');
  const declared =
    kind === 'html' ? /<meta[^>]{0,200}?charset\s*=\s*["']?([\w-]+)/i.exec(start)?.[1] : undefined;
  for (const label of [markOf(bytes), charset, declared, 'utf-8']) {
    const text = label == null ? null : decodeAs(label, bytes);
    if (text !== null) return text;
  }
  return new TextDecoder('windows-1252').decode(bytes);
}

function markOf(bytes: Buffer): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 'utf-8' : null;
}

/** Null when there is no such encoding or the bytes are not in it. */
function decodeAs(label: string, bytes: Buffer): string | null {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
