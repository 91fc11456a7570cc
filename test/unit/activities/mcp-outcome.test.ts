// What MCP tools answer, as content of a tool result: every kind of content, lies about media, and
// the bound of the whole. Pure.

import { describe, expect, test } from 'vitest';
import { toOutcome } from '../../../activities/mcp/outcome.ts';
import { DOT_PNG } from '../../helpers/mcp-server.ts';

const contentOf = (...content: unknown[]) => toOutcome({ content }, [])?.content;
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64');
const text = (said: string) => ({ type: 'text', text: said });

describe('content', () => {
  test('text stays, empty text goes, and what cannot be stored is mended', () => {
    expect(contentOf(text('a'), text(''), text('b\0c'))).toEqual([text('a'), text('b\uFFFDc')]);
  });

  test('an image goes by its bytes, not by its name', () => {
    const source = { type: 'base64', media_type: 'image/png', data: DOT_PNG };
    const said = { type: 'image', mimeType: 'image/jpeg', data: DOT_PNG };
    expect(contentOf(said)).toEqual([{ type: 'image', source }]);
    const lie = { type: 'image', mimeType: 'image/png', data: base64('<svg>not a png</svg>') };
    expect(contentOf(lie)).toEqual([text('[an image (image/png, 21 bytes), not shown]')]);
  });

  test('an image too large for a model is a note', () => {
    const data = Buffer.concat([Buffer.from(DOT_PNG, 'base64'), Buffer.alloc(6_000_000)]);
    const said = { type: 'image', mimeType: 'image/png', data: data.toString('base64') };
    expect(JSON.stringify(contentOf(said))).toContain('not shown');
  });

  test('a sound is a note', () => {
    const said = { type: 'audio', mimeType: 'audio/wav', data: base64('RIFF....WAVE') };
    expect(contentOf(said)).toEqual([text('[a sound (audio/wav, 12 bytes), not shown]')]);
  });

  test('a resource is a document, an image, a text or a note', () => {
    const resource = (more: object) => ({ type: 'resource', resource: { uri: 'a://b', ...more } });
    const document = (source: object) => ({ type: 'document', title: 'a://b', source });
    const words = { type: 'text', media_type: 'text/plain', data: 'words' };
    expect(contentOf(resource({ text: 'words' }))).toEqual([document(words)]);
    const packed = { mimeType: 'text/csv', blob: base64('words') };
    expect(contentOf(resource(packed))).toEqual([document(words)]);
    const pdf = base64('%PDF-1.7 and so on');
    const pdfSource = { type: 'base64', media_type: 'application/pdf', data: pdf };
    expect(contentOf(resource({ blob: pdf }))).toEqual([document(pdfSource)]);
    expect(contentOf(resource({ blob: DOT_PNG }))).toMatchObject([{ type: 'image' }]);
    const zip = { mimeType: 'application/zip', blob: base64('PK') };
    expect(contentOf(resource(zip))).toEqual([
      text('[resource a://b (application/zip, 3 bytes), not shown]'),
    ]);
    expect(contentOf(resource({ text: '' }))).toEqual([text('resource a://b (empty)')]);
  });

  test('a link to a resource is a line', () => {
    const link = { type: 'resource_link', uri: 'a://b', name: 'b', mimeType: 'text/html' };
    expect(contentOf(link)).toEqual([text('resource a://b b (text/html)')]);
  });

  test('a kind that nobody knows is a note', () => {
    const note = text('[content of a kind that cannot be shown]');
    expect(contentOf({ type: 'hologram' }, 7, { type: 'text' })).toEqual([note, note, note]);
  });

  test('structured content stands in where there is no other', () => {
    const structuredContent = { sum: 5 };
    expect(toOutcome({ structuredContent }, [])?.content).toEqual([text('{"sum":5}')]);
    const both = toOutcome({ content: [text('five')], structuredContent }, []);
    expect(both?.content).toEqual([text('five')]);
  });

  test('an error has words', () => {
    expect(toOutcome({ content: [], isError: true }, [])).toEqual({
      content: [text('The tool failed and said nothing.')],
      isError: true,
    });
    expect(toOutcome({ content: [] }, [])).toEqual({ content: [], isError: false });
  });

  test('what is no result is none', () => {
    expect(toOutcome({ content: 'words' }, [])).toBeNull();
  });
});

describe('bounds', () => {
  test('the whole is at most 8 MiB, and says that it is cut', () => {
    const content = contentOf(text('a'.repeat(6_000_000)), text('ä'.repeat(6_000_000)), text('c'))!;
    const bytes = Buffer.byteLength(JSON.stringify(content));
    expect(bytes).toBeLessThan(8 * 1024 * 1024 + 1000);
    expect(content).toHaveLength(3);
    expect(content.at(-1)).toEqual(text('[the rest of the result is too large to be shown]'));
  });

  test('text over 100,000 characters is left whole for whoever keeps it in a file', () => {
    expect(contentOf(text('a'.repeat(500_000)))).toEqual([text('a'.repeat(500_000))]);
  });

  test('blocks are bounded in number', () => {
    expect(contentOf(...Array.from({ length: 5000 }, () => text('a')))).toHaveLength(101);
  });
});

test('credentials that a tool repeats are not shown', () => {
  const content = [
    text('Bearer abcdefgh'),
    { type: 'resource', resource: { uri: 'a://b', text: 'abcdefgh' } },
  ];
  const shown = JSON.stringify(toOutcome({ content }, ['abcdefgh']));
  expect(shown).not.toContain('abcdefgh');
  expect(shown).toContain('[redacted]');
});
