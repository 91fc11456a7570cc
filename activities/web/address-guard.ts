// Which addresses the web tools may dial: public ones, and what the operator has opened by name or
// range. The check sits in the lookup of the connection itself, so the address that was checked is
// the one that is dialled; a name that resolves to anything else first is refused as a whole.

import { lookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { WebFailure } from './web-outcome.ts';

/** Finds the addresses of a host name. */
export type ResolveHost = (host: string) => Promise<LookupAddress[]>;

export interface AddressGuard {
  /** Throws `url_not_allowed` for a host that is itself an address and may not be dialled */
  checkLiteral(url: URL): void;
  /** The `lookup` of a connection; fails with a WebFailure */
  lookup: LookupFunction;
}

const resolveBySystem: ResolveHost = (host) => lookup(host, { all: true });

// Azure's host agent answers its machines on an address that is public by its range.
const METADATA_ADDRESSES: readonly string[] = ['168.63.129.16'];

/**
 * A guard that opens the private hosts of the operator: host names (their addresses may be any) and
 * addresses or CIDR ranges (any host may have them).
 */
export function createAddressGuard(
  privateHosts: readonly string[],
  resolve: ResolveHost = resolveBySystem,
): AddressGuard {
  const names = new Set(privateHosts.filter((host) => rangeOf(host) === null).map(bareHost));
  const ranges = privateHosts.map(rangeOf).filter((range) => range !== null);
  const mayDial = (address: string) => isPublic(address) || isInRanges(address, ranges);

  async function addressesOf(host: string): Promise<LookupAddress[]> {
    const found = await resolve(host);
    if (found.length === 0) throw new WebFailure('url_not_accessible', `${host} has no address`);
    if (!names.has(bareHost(host)) && !found.every(({ address }) => mayDial(address))) {
      throw new WebFailure('url_not_allowed', `${host} is not a public host`);
    }
    return found;
  }

  return {
    checkLiteral(url) {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      if (!ipaddr.isValid(host) || names.has(bareHost(host)) || mayDial(host)) return;
      throw new WebFailure('url_not_allowed', `${host} is not a public address`);
    },
    lookup(host, options, callback) {
      void answer(addressesOf(host), options.all === true, callback);
    },
  };
}

type LookupCallback = Parameters<LookupFunction>[2];

async function answer(
  addresses: Promise<LookupAddress[]>,
  wantsAll: boolean,
  callback: LookupCallback,
): Promise<void> {
  try {
    const found = await addresses;
    const first = found[0]!;
    if (wantsAll) callback(null, found);
    else callback(null, first.address, first.family);
  } catch (error) {
    callback(error as NodeJS.ErrnoException, []);
  }
}

/** Whether a text is an address, or a range such as `10.1.0.0/16`. */
export function isAddressRange(text: string): boolean {
  return rangeOf(text) !== null;
}

/** One spelling of a host name: lower case, without the dot of a complete name. */
export function bareHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

/** All that is assigned to the public IPv6 internet (IANA). */
const GLOBAL_UNICAST: Range = ipaddr.parseCIDR('2000::/3');

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

function rangeOf(text: string): Range | null {
  const address = text.replace(/^\[|\]$/g, '');
  if (ipaddr.isValidCIDR(address)) return ipaddr.parseCIDR(address);
  // Short forms such as 127.1 are no addresses to a reader of the setting.
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return null;
  const parsed = ipaddr.parse(address);
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128];
}

function isInRanges(address: string, ranges: readonly Range[]): boolean {
  const parsed = ipaddr.process(address);
  return ranges.some(
    ([base, bits]) => base.kind() === parsed.kind() && parsed.match([base, bits] as never),
  );
}

/** Public by its range (mapped addresses count as what they map), and not this machine's own. */
function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  // Old ways to write an IPv4 address, ::7f00:1 for one, count as unicast outside of this block.
  if (parsed.kind() === 'ipv6' && !isInRanges(address, [GLOBAL_UNICAST])) return false;
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const refused = [...METADATA_ADDRESSES, ...own.map((each) => each.address)];
  return !refused.some(
    (each) => ipaddr.isValid(each) && ipaddr.process(each).toString() === parsed.toString(),
  );
}
