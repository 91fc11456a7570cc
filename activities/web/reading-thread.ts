// The thread that turns one page or PDF into text and then ends. It is given no environment, reads
// what strangers wrote, and may be killed at any moment (readable-text.ts).

import { parentPort, workerData } from 'node:worker_threads';
import { WEB_PDF_PAGES_MS, WEB_TEXT_CHARS_MAX } from '../../protocol/server-tool-limits.ts';
import { pageMarkdown } from './page-markdown.ts';
import type { ReadText, Unread } from './readable-text.ts';

async function read(unread: Unread): Promise<ReadText> {
  return unread.kind === 'html' ? pageMarkdown(unread.html, unread.url) : pdfText(unread.bytes);
}

/** Page by page, so that a long document ends at a bound and not at its last page. */
async function pdfText(bytes: Uint8Array): Promise<ReadText> {
  // Loaded where it is needed: it is large, and most threads read a page.
  const { getDocumentProxy } = await import('unpdf');
  const pdf = await getDocumentProxy(bytes, { disableFontFace: true });
  const { info } = await pdf.getMetadata();
  const pages: string[] = [];
  let chars = 0;
  const until = performance.now() + WEB_PDF_PAGES_MS;
  for (let number = 1; number <= pdf.numPages; number += 1) {
    if (chars > WEB_TEXT_CHARS_MAX || performance.now() > until) {
      pages.push(`[The pages ${number} to ${pdf.numPages} were not read: it is too long.]`);
      break;
    }
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    const text = items
      .map((item) => ('str' in item ? item.str + (item.hasEOL ? '\n' : '') : ''))
      .join('')
      .trim();
    pages.push(`[Page ${number} of ${pdf.numPages}]\n\n${text}`);
    chars += text.length;
    page.cleanup();
  }
  const title: unknown = Reflect.get(info, 'Title');
  return {
    title: typeof title === 'string' ? title.trim() : '',
    // Pages without any text are pictures of text.
    text: chars === 0 ? '' : pages.join('\n\n'),
  };
}

parentPort?.postMessage(await read(workerData as Unread));
