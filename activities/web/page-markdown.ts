// A web page as plain Markdown-like text: headings, lists, code, tables with headings, and links
// with whole addresses, so that a link the model has read can be fetched next. Navigation, scripts,
// forms and what the page hides are left out. It runs in the reading thread, where time is bounded.

import { convert, type DomNode, type FormatCallback, type HtmlToTextOptions } from 'html-to-text';
import {
  WEB_BODY_BYTES_MAX,
  WEB_HTML_DEPTH_MAX,
  WEB_TITLE_WITHIN_CHARS,
} from '../../protocol/server-tool-limits.ts';

/** A part that is marked as the main one is believed when it says at least this much. `chars` */
const MAIN_PART_CHARS_MIN = 200;

/** The title and the readable text of a page; both may be empty. */
export function pageMarkdown(html: string, baseUrl: string): { title: string; text: string } {
  const options = optionsFor(baseUrl);
  const main = convert(html, {
    ...options,
    baseElements: { selectors: ['main', '[role=main]', 'article'], returnDomByDefault: true },
  }).trim();
  const isEnough = main.length >= MAIN_PART_CHARS_MIN;
  const whole = isEnough ? main : convert(html, options).trim();
  return { title: titleOf(html), text: whole.length > main.length ? whole : main };
}

function titleOf(html: string): string {
  const start = html.slice(0, WEB_TITLE_WITHIN_CHARS);
  const title = /<title[^>]{0,200}>([^<]{0,2000})<\/title/i.exec(start)?.[1] ?? '';
  return convert(title, { wordwrap: false }).replaceAll(/\s+/g, ' ').trim();
}

const SKIPPED = [
  'head',
  'title',
  'nav',
  'footer',
  'form',
  'button',
  'select',
  'svg',
  'iframe',
  'noscript',
  'template',
  'script',
  'style',
  '[role=navigation]',
  '[role=contentinfo]',
  '[aria-hidden=true]',
  '[hidden]',
];

function optionsFor(baseUrl: string): HtmlToTextOptions {
  const absolute = (path: string) => {
    const url = URL.parse(path, baseUrl);
    return url !== null && /^https?:$/.test(url.protocol) ? url.href : '';
  };
  const headings = [1, 2, 3, 4, 5, 6].map((level) => ({
    selector: `h${level}`,
    format: 'markdownHeading',
    options: { prefix: `${'#'.repeat(level)} ` },
  }));
  return {
    wordwrap: false,
    limits: { maxDepth: WEB_HTML_DEPTH_MAX, maxInputLength: WEB_BODY_BYTES_MAX },
    formatters: { markdownHeading, fencedCode, imageText, tableOrBlock },
    selectors: [
      ...headings,
      {
        selector: 'a',
        options: {
          // In angle brackets an address ends where it ends, whatever signs it is made of.
          linkBrackets: ['<', '>'],
          noAnchorUrl: true,
          hideLinkHrefIfSameAsText: true,
          pathRewrite: absolute,
        },
      },
      { selector: 'ul', options: { itemPrefix: '- ' } },
      { selector: 'img', format: 'imageText' },
      { selector: 'pre', format: 'fencedCode' },
      { selector: 'table', format: 'tableOrBlock', options: { uppercaseHeaderCells: false } },
      ...SKIPPED.map((selector) => ({ selector, format: 'skip' })),
    ],
  };
}

const markdownHeading: FormatCallback = (element, walk, builder, options) => {
  builder.openBlock({ leadingLineBreaks: 2 });
  builder.addInline(options.prefix ?? '');
  walk(element.children, builder);
  builder.closeBlock({ trailingLineBreaks: 2 });
};

const fencedCode: FormatCallback = (element, walk, builder) => {
  const fence = (leadingLineBreaks: number, trailingLineBreaks: number) => {
    builder.openBlock({ leadingLineBreaks });
    builder.addInline('```');
    builder.closeBlock({ trailingLineBreaks });
  };
  fence(2, 1);
  builder.openBlock({ isPre: true, leadingLineBreaks: 1 });
  walk(element.children, builder);
  builder.closeBlock({ trailingLineBreaks: 1 });
  fence(1, 2);
};

const imageText: FormatCallback = (element, _walk, builder) => {
  const alternative: unknown = element.attribs?.alt;
  if (typeof alternative === 'string' && alternative.trim() !== '') {
    builder.addInline(`[image: ${alternative.trim()}]`);
  }
};

/** Many tables only place things on a page; one with heading cells is laid out as a table. */
const tableOrBlock: FormatCallback = (element, walk, builder, options) => {
  const format = hasHeadingCell(element) ? 'dataTable' : 'block';
  const formatters = builder.options.formatters as Record<string, FormatCallback>;
  formatters[format]!(element, walk, builder, options);
};

function hasHeadingCell(table: DomNode): boolean {
  const named = (nodes: readonly DomNode[], ...names: string[]) =>
    nodes.filter(({ name }) => name !== undefined && names.includes(name));
  const parts = named(table.children, 'thead', 'tbody', 'tfoot').flatMap((part) => part.children);
  const rows = named([...table.children, ...parts], 'tr');
  return rows.some((row) => named(row.children, 'th').length > 0);
}
