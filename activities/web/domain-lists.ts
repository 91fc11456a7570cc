// Whether the domain lists of an agent let a URL through: pure, over any number of lists at once,
// since the lists of callers and of a coordinator all apply.
// docs: managed-agents/tools-web-restrictions.

import { normalDomain } from '../../protocol/web-settings.ts';
import { bareHost } from './address-guard.ts';

/** One level of lists; an absent list restricts nothing. */
export interface DomainLists {
  allowed_domains?: readonly string[] | null | undefined;
  blocked_domains?: readonly string[] | null | undefined;
}

/** True when every list of allowed domains covers the URL and no list of blocked ones does. */
export function isPermitted(url: URL, levels: readonly DomainLists[]): boolean {
  return levels.every(
    ({ allowed_domains: allowed, blocked_domains: blocked }) =>
      (allowed == null || allowed.some((domain) => covers(domain, url))) &&
      !(blocked ?? []).some((domain) => covers(domain, url)),
  );
}

/** True when lists of allowed domains have nothing in common, so that every call must fail. */
export function nothingIsPermitted(levels: readonly DomainLists[]): boolean {
  const lists = levels.flatMap(({ allowed_domains: allowed }) =>
    allowed == null ? [] : [allowed],
  );
  // The narrower one of two domains that meet is an entry itself: one must be in all lists.
  const entries = lists.flat();
  return (
    lists.length > 0 &&
    !entries.some((entry) => lists.every((list) => list.some((each) => isWithin(entry, each))))
  );
}

function covers(domain: string, url: URL): boolean {
  const { host, path } = normalDomain(domain);
  return isSubdomain(bareHost(url.hostname), host) && isBelow(url.pathname, path);
}

function isWithin(entry: string, domain: string): boolean {
  const inner = normalDomain(entry);
  const outer = normalDomain(domain);
  return isSubdomain(inner.host, outer.host) && isBelow(inner.path, outer.path);
}

function isSubdomain(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

/** Paths match by whole segments; a closing `*` says what is meant anyway. */
function isBelow(path: string, prefix: string): boolean {
  const bare = prefix.replace(/\/?\*?$/, '');
  return path === bare || path.startsWith(`${bare}/`);
}
