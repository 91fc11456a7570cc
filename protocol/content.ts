// Content blocks of events. Two sets of shapes: what a client may send (`…Request`), checked so
// that no block can make every later model request of its session fail, and what a response may
// hold.

import * as z from 'zod';
import { httpUrl, idOf, textOf } from './fields.ts';
import { CONTENT_BLOCKS_MAX, DOCUMENT_TITLE_CHARS_MAX, URL_CHARS_MAX } from './field-limits.ts';
import { REQUEST_BODY_BYTES_MAX } from './limits.ts';

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Media types of images; sdk 1.11.0 names these four, and the Messages API takes no other. */
const IMAGE_MEDIA_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

const text = z.strictObject({ type: z.literal('text'), text: z.string() });
const redacted = z.strictObject({ type: z.literal('redacted') });

/** Shape of a text block in a request: empty ones are refused, as the Messages API does. */
export const textRequest = z.strictObject({
  type: z.literal('text'),
  text: textOf(REQUEST_BODY_BYTES_MAX, 1),
});

/**
 * Text that somebody says. A blank one (our choice) is refused like an empty one: the Messages API
 * takes none, so every later request of the session would fail.
 */
const saidRequest = textRequest.extend({
  text: textRequest.shape.text.refine((text) => /\S/.test(text), 'expected more than blanks'),
});

const base64Data = z
  .string()
  .refine((data) => data.length % 4 === 0 && BASE64.test(data), 'expected base64');
const mediaType = (known: readonly string[]) =>
  z.string().refine((type) => known.includes(type), `expected one of ${known.join(', ')}`);

const imageSource = (forRequest: boolean) =>
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('base64'),
      media_type: forRequest ? mediaType(IMAGE_MEDIA_TYPES) : z.string(),
      data: forRequest ? base64Data : z.string(),
    }),
    z.strictObject({ type: z.literal('url'), url: forRequest ? httpUrl : z.string() }),
    z.strictObject({ type: z.literal('file'), file_id: forRequest ? idOf('file') : z.string() }),
  ]);

const documentSource = (forRequest: boolean) =>
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('base64'),
      media_type: forRequest ? mediaType(['application/pdf']) : z.string(),
      data: forRequest ? base64Data : z.string(),
    }),
    z.strictObject({
      type: z.literal('text'),
      media_type: z.literal('text/plain'),
      data: forRequest ? textOf(REQUEST_BODY_BYTES_MAX, 1) : z.string(),
    }),
    z.strictObject({ type: z.literal('url'), url: forRequest ? httpUrl : z.string() }),
    z.strictObject({ type: z.literal('file'), file_id: forRequest ? idOf('file') : z.string() }),
  ]);

const image = (forRequest: boolean) =>
  z.strictObject({ type: z.literal('image'), source: imageSource(forRequest) });

const document = (forRequest: boolean) => {
  const words = forRequest ? textOf(DOCUMENT_TITLE_CHARS_MAX) : z.string();
  return z.strictObject({
    type: z.literal('document'),
    source: documentSource(forRequest),
    title: words.nullable().optional(),
    context: words.nullable().optional(),
  });
};

const searchResult = (forRequest: boolean) =>
  z.strictObject({
    type: z.literal('search_result'),
    source: forRequest ? textOf(URL_CHARS_MAX, 1) : z.string(),
    title: forRequest ? textOf(DOCUMENT_TITLE_CHARS_MAX, 1) : z.string(),
    content: z.array(forRequest ? textRequest : text),
    citations: z.strictObject({ enabled: z.boolean() }),
  });

/** A `redacted` block is typed in requests and always refused there (behaviour.md 6.3). */
const redactedRequest = redacted.refine(() => false, 'redacted blocks cannot be sent');

/** Content of a `user.message` in a request. */
export const messageContentRequest = z
  .array(z.discriminatedUnion('type', [saidRequest, image(true), document(true), redactedRequest]))
  .min(1)
  .max(CONTENT_BLOCKS_MAX);

/** Content of a tool result in a request. */
export const resultContentRequest = z
  .array(
    z.discriminatedUnion('type', [textRequest, image(true), document(true), searchResult(true)]),
  )
  .max(CONTENT_BLOCKS_MAX);

/** Content of a `system.message` in a request. sdk 1.11.0: 1 to 1000 text blocks. */
export const systemContentRequest = z.array(saidRequest).min(1).max(CONTENT_BLOCKS_MAX);

/** Content of a message in a response. */
export const messageContent = z.array(
  z.discriminatedUnion('type', [text, image(false), document(false), redacted]),
);
/** Content of an agent's message in a response. */
export const agentContent = z.array(z.discriminatedUnion('type', [text, redacted]));
/** Content of a tool result in a response. */
export const resultContent = z.array(
  z.discriminatedUnion('type', [text, image(false), document(false), searchResult(false)]),
);
/** Content of a `system.message` in a response. */
export const systemContent = z.array(text);
/** One piece of an agent's message in a preview. */
export const textPiece = text;
