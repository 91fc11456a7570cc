// Which URLs a session has shown its model already: only those may be fetched, so that a page
// cannot talk the model into sending what it knows to an address of its own making. Our choice of
// matching: the same URL but for its fragment, scheme, closing slash and the spelling of its host.
// docs: release notes of 2026-10-07; sdk 1.11.0: BetaManagedAgentsWebFetchURLSourcesParams.

import { URL_CHARS_MAX } from '../../protocol/field-limits.ts';
import type { UrlSources } from '../../protocol/web-settings.ts';
import { bareHost } from './address-guard.ts';
import type { ToolResultContent } from './web-outcome.ts';

/** One text in which URLs may stand: a user's message, or a tool's result. */
export interface UrlOrigin {
  kind: 'user_input' | 'client_tool_results' | 'server_tool_results';
  /** Name of the tool; null for user input */
  tool: string | null;
  text: string;
}

/** True when a text of an allowed source holds the URL. */
export function isKnownUrl(
  url: URL,
  origins: readonly UrlOrigin[],
  sources: UrlSources | null | undefined,
): boolean {
  const wanted = keyOf(url);
  const host = bareHost(url.hostname);
  return origins.some((origin) => {
    if (!contributes(origin, sources)) return false;
    return candidatesOf(origin, host).some((text) => isSpelledAs(text, wanted));
  });
}

/** The text of a result's blocks in which URLs count: what the model reads, and its sources. */
export function urlTextOf(content: readonly ToolResultContent[]): string {
  return content
    .map((block) => {
      if (block.type === 'text') return block.text;
      if (block.type === 'search_result') {
        return [block.source, block.title, ...block.content.map(({ text }) => text)].join('\n');
      }
      if (block.type !== 'document') return '';
      const text = block.source.type === 'text' ? block.source.data : '';
      return [block.title, block.context, text].join('\n');
    })
    .join('\n');
}

function contributes({ kind, tool }: UrlOrigin, sources: UrlSources | null | undefined): boolean {
  const source = sources?.[kind] ?? { type: 'all' };
  if (source.type === 'all' || source.type === 'none') return source.type === 'all';
  return source.tools.some(({ name }) => name === tool) === (source.type === 'only');
}

const WITH_SCHEME = /https?:\/\/[^\s<>"'`\\，。、；：！？（）「」『』【】《》]+/gi;
/** Names without a scheme, as people write them: not the end of an address or of another name. */
const BARE =
  /(?<![\w@./-])[a-z\d-]+(?:\.[a-z\d-]+)+(?::\d+)?(?:[/?][^\s<>"'`\\，。、；！？（）]*)?/gi;

/** Marks that prose may put right after a URL, at most so many of them. */
const CLOSING = /[.,;:!?)\]}*_~|]$/;
const CLOSING_MAX = 8;

function candidatesOf({ kind, text }: UrlOrigin, host: string): string[] {
  const found: string[] = text.match(WITH_SCHEME) ?? [];
  const isAddress = /^(\[|[\d.]+$)/.test(host);
  // Only people leave out the scheme; in a tool's output it would be a guess.
  const bare = kind === 'user_input' ? (text.match(BARE) ?? []) : [];
  return [...found, ...bare.map((each) => `https://${each}`)].filter(
    (each) =>
      each.length <= URL_CHARS_MAX + CLOSING_MAX &&
      // Cheap, before they are parsed; addresses and names in another script have many spellings.
      (isAddress || each.toLowerCase().includes(host) || !/^[ -~]*$/.test(each)),
  );
}

/** Whether a piece of text can be read as the wanted URL. */
function isSpelledAs(text: string, wanted: string): boolean {
  let rest = text.replaceAll('&amp;', '&');
  for (let closing = 0; closing <= CLOSING_MAX; closing += 1) {
    const url = URL.parse(rest);
    if (url !== null && keyOf(url) === wanted) return true;
    if (!CLOSING.test(rest)) return false;
    rest = rest.slice(0, -1);
  }
  return false;
}

function keyOf(url: URL): string {
  const port = url.port === '' ? '' : `:${url.port}`;
  return `${bareHost(url.hostname)}${port}${url.pathname.replace(/\/$/, '')}${url.search}`;
}
