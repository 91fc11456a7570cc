// The tool `web_fetch`: one URL that the session has seen, as a document block with its text. It
// only reads: GET, no cookies, no credentials, no scripts.

import { URL_CHARS_MAX } from '../../protocol/field-limits.ts';
import {
  WEB_CHARS_PER_TOKEN,
  WEB_TEXT_CHARS_MAX,
  WEB_TITLE_CHARS_MAX,
} from '../../protocol/server-tool-limits.ts';
import { storableText } from '../../protocol/text.ts';
import { isAllowedHost } from '../../protocol/web-settings.ts';
import type { AddressGuard } from './address-guard.ts';
import { isPermitted, nothingIsPermitted } from './domain-lists.ts';
import { download } from './download.ts';
import { pageText } from './page-text.ts';
import { isKnownUrl } from './prior-urls.ts';
import type { Reader } from './readable-text.ts';
import type { WebCall } from './web-tools.ts';
import { WebFailure, type WebOutcome } from './web-outcome.ts';

export interface FetchParts {
  guard: AddressGuard;
  read: Reader;
  /** `ms`, for tests */
  timeoutMs?: number | undefined;
}

/** Runs one call. Throws a WebFailure, or the reason of `signal`. */
export async function webFetch(
  call: WebCall,
  parts: FetchParts,
  signal: AbortSignal,
): Promise<WebOutcome> {
  const url = wantedUrl(call.input);
  const checkUrl = (each: URL) => checkDomain(each, call);
  checkUrl(url);
  const settings = call.settings?.name === 'web_fetch' ? call.settings : undefined;
  if (!isKnownUrl(url, await call.loadOrigins(), settings?.url_sources)) {
    const reason =
      'only URLs that stand in a user message, in a custom tool result or in an earlier web ' +
      'result of this session can be fetched; ask the user for the URL, or search for it';
    throw new WebFailure('url_not_in_prior_context', reason);
  }
  const { guard, read, timeoutMs } = parts;
  const found = await download(url, { guard, checkUrl, timeoutMs }, signal);
  const page = await pageText(found, read, signal);
  // sdk 1.11.0: max_content_tokens "does not apply to binary content such as PDFs".
  const tokensMax = page.kind === 'pdf' ? null : settings?.max_content_tokens;
  const title = storableText(page.title.slice(0, WEB_TITLE_CHARS_MAX));
  return {
    content: [
      {
        type: 'document',
        source: { type: 'text', media_type: 'text/plain', data: shortened(page.text, tokensMax) },
        title: title === '' ? found.url.href : title,
        context: `Content of ${found.url.href}, fetched at ${new Date().toISOString()}`,
      },
    ],
    isError: false,
    searches: 0,
  };
}

function wantedUrl(input: Record<string, unknown>): URL {
  const { url: text } = input;
  if (typeof text !== 'string') throw new WebFailure('invalid_tool_input', 'url must be a string');
  if (text.length > URL_CHARS_MAX) {
    throw new WebFailure('url_too_long', `at most ${URL_CHARS_MAX} characters are taken`);
  }
  const url = URL.parse(text.trim());
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new WebFailure('invalid_tool_input', 'url must be a whole http or https address');
  }
  if (url.username !== '' || url.password !== '') {
    throw new WebFailure('invalid_tool_input', 'url must not hold credentials');
  }
  return url;
}

function checkDomain(url: URL, call: WebCall): void {
  const levels = [call.settings ?? {}, ...(call.outerLists ?? [])];
  if (nothingIsPermitted(levels)) {
    throw new WebFailure('url_not_allowed', 'no domain is permitted for this agent');
  }
  const isHostAllowed = call.allowedHosts == null || isAllowedHost(url.hostname, call.allowedHosts);
  if (isHostAllowed && isPermitted(url, levels)) return;
  throw new WebFailure('url_not_allowed', `${url.hostname} is not a permitted domain`);
}

/** The text up to its bound, with a closing line that says where it was cut. */
function shortened(text: string, tokensMax: number | null | undefined): string {
  const charsMax = Math.min((tokensMax ?? Infinity) * WEB_CHARS_PER_TOKEN, WEB_TEXT_CHARS_MAX);
  if (text.trim() === '') return '(There is no readable text; the page may need scripts.)';
  if (text.length <= charsMax) return storableText(text);
  const tokens = Math.floor(charsMax / WEB_CHARS_PER_TOKEN);
  const note = `[Cut after ${charsMax} of ${text.length} characters, about ${tokens} tokens.]`;
  return `${storableText(text.slice(0, charsMax))}\n\n${note}`;
}
