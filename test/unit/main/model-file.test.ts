// The file of models: what it may say, and that a wrong one is refused with its place.
// The files are real ones, since line and column are of the file as an editor shows it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../main/config.ts';
import { readModelFile } from '../../../main/models/model-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-model-file-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function read(text: string) {
  const file = join(directory, 'models.json');
  writeFileSync(file, text);
  return readModelFile(file);
}

/** The refusal without the directory. */
function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.replace(`${directory}/`, '');
  }
  return 'it was taken';
}

describe('an entry', () => {
  it('says what its models can do, and what it leaves out stays as it is known', () => {
    const [entry] = read(`[
      // a comment, and a comma too many
      {
        "models": ["mine"],
        "endpoint": { "type": "messages", "base_url": "http://127.0.0.1:11434" },
        "upstream_model": "llama", "display_name": "Mine",
        "context_window": 8192, "max_output_tokens": 2048, "thinking": "budget",
        "effort": { "levels": ["high", "low"] }, "caching": false,
        "mid_conversation_system": true, "image_input": true, "pdf_input": false,
      },
    ]`);
    expect(entry).toMatchObject({
      upstreamModel: 'llama',
      isScripted: false,
      endpoint: { type: 'messages', base_url: 'http://127.0.0.1:11434' },
    });
    expect(entry!.rule).toEqual({
      models: ['mine'],
      traits: {
        displayName: 'Mine',
        contextWindowTokens: 8192,
        outputTokensMax: 2048,
        thinking: 'budget',
        thinkingTypes: ['enabled', 'disabled'],
        efforts: ['low', 'high'],
        ownEffort: 'low',
        hasPromptCaching: false,
        takesMidConversationSystem: true,
        takesImages: true,
        takesPdfs: false,
      },
    });
    expect(read('[{ "models": ["a"] }]')[0]!.rule.traits).toEqual({});
  });

  it('has prices as they are written, number or text', () => {
    const [entry] = read(`[{ "models": ["a"], "price": {
      "input": 0.1, "output": "0.30", "cache_read": 0.01, "cache_write_5m": 1, "version": "v7",
      "fast_multiplier": 2, "us_multiplier": 1.1,
      "long_prompt": { "above_tokens": 1000, "input": 1, "output": 2 } } }]`);
    expect(entry!.rule.traits.price).toEqual({
      version: 'v7',
      rates: {
        input: '0.1',
        output: '0.30',
        cacheRead: '0.01',
        cacheWrite5m: '1',
        cacheWrite1h: '0.1',
      },
      fastMultiplier: '2',
      usMultiplier: '1.1',
      longPrompt: {
        aboveTokens: 1000,
        rates: { input: '1', output: '2', cacheRead: '1', cacheWrite5m: '1', cacheWrite1h: '1' },
      },
    });
    expect(read('[{ "models": ["a"], "price": null }]')[0]!.rule.traits).toEqual({ price: null });
  });
});

describe('a wrong file is refused with its place', () => {
  const ENTRY = '"models": ["a"]';
  it.each([
    ['[\n  { "models": ["a" }\n]', 'models.json:2:20: this is not JSON: comma expected.'],
    ['', 'models.json:1:1: this is not JSON: value expected.'],
    ['{}', 'models.json:1:1: the file: expected array, received object.'],
    ['[\n  {}\n]', 'models.json:2:3: 0.models: required, expected array.'],
    ['[{ "models": [] }]', 'models.json:1:14: 0.models: expected at least one model id.'],
    [
      '[{ "models": ["a*b"] }]',
      'models.json:1:15: 0.models.0: ' +
        'expected a model id, or the beginning of one with * at its end.',
    ],
    [`[\n  {\n    ${ENTRY},\n    "modle": 1\n  }\n]`, 'models.json:4:14: 0.modle: unknown field.'],
    [
      `[{ ${ENTRY},\n"endpoint": { "type": "openai" } }]`,
      'models.json:2:23: 0.endpoint.type: expected type to be one of messages, bedrock, vertex.',
    ],
    [
      `[{ ${ENTRY},\n"endpoint": { "type": "messages", "base_url": "localhost" } }]`,
      'models.json:2:47: 0.endpoint.base_url: expected an http:// or https:// address.',
    ],
    [
      `[{ ${ENTRY},\n"endpoint": { "type": "vertex", "region": "eu" } }]`,
      'models.json:2:13: 0.endpoint.project: required, expected string.',
    ],
    [
      `[{ ${ENTRY}, "endpoint": { "type": "messages", "base_url": "http://a",
         "api_key_env": "sk-ant-secret" } }]`,
      'models.json:2:25: 0.endpoint.api_key_env: ' +
        'expected the name of an environment variable, not a key itself.',
    ],
    [
      `[{ ${ENTRY}, "price": { "input": -1, "output": 1 } }]`,
      'models.json:1:41: 0.price.input: expected a number, such as 0.25.',
    ],
    [
      `[{ ${ENTRY}, "effort": { "levels": ["low"], "default": "max" } }]`,
      'models.json:1:31: 0.effort: expected default to be one of levels.',
    ],
    [
      `[{ ${ENTRY}, "upstream_model": "b" }]`,
      'models.json:1:39: 0.upstream_model: expected an endpoint beside it.',
    ],
    [`[{ ${ENTRY} },\n { ${ENTRY} }]`, 'models.json:2:15: 1.models.0: named already.'],
    [
      `[{ ${ENTRY}, "context_window": 1.5 }]`,
      'models.json:1:39: 0.context_window: expected a whole number of tokens.',
    ],
  ])('%j', (text, sentence) => {
    expect(refusal(text)).toBe(sentence);
  });

  it('a key that stands where its variable belongs is not repeated', () => {
    const endpoint = '{ "type": "messages", "base_url": "http://a", "api_key_env": "sk-ant-1" }';
    expect(refusal(`[{ ${ENTRY}, "endpoint": ${endpoint} }]`)).not.toContain('sk-ant-1');
  });

  it('a file that is not there', () => {
    const file = join(directory, 'none.json');
    expect(() => readModelFile(file)).toThrow(`HOLDFAST_MODELS: ${file} cannot be read: ENOENT.`);
  });
});
