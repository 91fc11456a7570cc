// How an MCP server is dialled: any address an operator may have a server at, private ones
// included, but never a link-local one or a cloud's metadata service, which would hand out the
// machine's own credentials. What DNS says is checked where it is used: the checked address is the
// dialled one.

import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { MCP_DIAL_MS } from '../../protocol/server-tool-limits.ts';

/** An address that is not dialled, whatever name it came under. */
export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
}

/** Opens HTTP requests; redirects are left to the caller. */
export interface Dialler {
  fetch: (url: URL, init: RequestInit) => Promise<Response>;
  close: () => Promise<void>;
}

/** Metadata services outside the link-local ranges: AWS, Google, Alibaba, Oracle, Azure. */
const METADATA_ADDRESSES: readonly string[] = [
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
].map((address) => ipaddr.parse(address).toNormalizedString());

/** Whether an IP address, in whatever form it hides an IPv4 one, is one that is not dialled. */
export function isRefusedAddress(text: string): boolean {
  const address = innermost(ipaddr.parse(text));
  return (
    address.range() === 'linkLocal' || METADATA_ADDRESSES.includes(address.toNormalizedString())
  );
}

/** Builds a dialler with connections of its own; a test may bring names of its own. */
export function createDialler(lookup: LookupFunction = systemLookup as LookupFunction): Dialler {
  const agent = new Agent({
    connect: { timeout: MCP_DIAL_MS, lookup: checked(lookup) },
    // A call's own bound is the one that counts; an event stream may be silent for hours.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    fetch: async (url, init) => {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      // A literal address is dialled without a lookup.
      if (ipaddr.isValid(host) && isRefusedAddress(host)) throw new RefusedAddressError();
      const options = { ...init, redirect: 'manual', dispatcher: agent };
      // The same classes by two declarations: Node's types name an older undici.
      const response = await undiciFetch(url, options as Parameters<typeof undiciFetch>[1]);
      return response as unknown as Response;
    },
    close: () => agent.destroy(),
  };
}

function checked(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      if (error === null && addressesOf(found).some(isRefusedAddress)) {
        callback(new RefusedAddressError(), found, family);
        return;
      }
      callback(error, found, family);
    });
  };
}

function addressesOf(found: string | LookupAddress[]): string[] {
  return typeof found === 'string' ? [found] : found.map(({ address }) => address);
}

/** The IPv4 address inside a mapped, compatible, NAT64 or 6to4 one; any other as it is. */
function innermost(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  const { parts } = address;
  const embeds = address.range() === 'rfc6052' || parts.slice(0, 6).every((part) => part === 0);
  const pair = address.range() === '6to4' ? parts.slice(1, 3) : embeds ? parts.slice(6) : null;
  if (pair === null) return address;
  return new ipaddr.IPv4(pair.flatMap((part) => [part >> 8, part & 0xff]));
}
