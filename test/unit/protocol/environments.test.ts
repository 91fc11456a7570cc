// How an environment is created and updated, with its defaults and its rules.
// docs: managed-agents/environments; behaviour.md 4.1.

import { describe, expect, test } from 'vitest';
import {
  createEnvironmentRequest,
  environmentAfterUpdate,
  environmentFromCreate,
  environmentShape,
  updateEnvironmentRequest,
} from '../../../protocol/environments.ts';
import { ApiError } from '../../../protocol/errors.ts';
import { parseBody } from '../../../protocol/parse.ts';

const create = (extra: object = {}) =>
  environmentFromCreate(parseBody(createEnvironmentRequest, { name: 'e', ...extra }));
const update = (current: ReturnType<typeof create>, request: object) =>
  environmentAfterUpdate(current, parseBody(updateEnvironmentRequest, request));
const cloud = (rest: object = {}) => ({ config: { type: 'cloud', ...rest } });
const NONE = { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };
const LIMITED = {
  type: 'limited',
  allowed_hosts: [],
  allow_mcp_servers: false,
  allow_package_managers: false,
};

describe('create', () => {
  test.each([{}, { config: null }, cloud(), cloud({ networking: null, packages: null })])(
    '%j is a cloud environment without limits and packages',
    (extra) => {
      const fields = create(extra);
      expect(fields).toEqual({
        name: 'e',
        description: null,
        config: { type: 'cloud', networking: { type: 'unrestricted' }, packages: NONE },
        metadata: {},
        scope: 'organization',
      });
      const environment = {
        id: 'env_1',
        type: 'environment',
        created_at: '2026-11-21T00:00:00Z',
        updated_at: '2026-11-21T00:00:00Z',
        archived_at: null,
        ...fields,
      };
      expect(environmentShape.parse(environment)).toEqual(environment);
    },
  );

  test('a bare limited has its switches off', () => {
    expect(create(cloud({ networking: { type: 'limited' } })).config).toMatchObject({
      networking: LIMITED,
    });
  });

  test.each(['a.example.com', '*.example.com', 'localhost', '10.0.0.1'])(
    'host %s is taken',
    (host) => {
      const networking = { type: 'limited', allowed_hosts: [host] };
      expect(() => create(cloud({ networking }))).not.toThrow();
    },
  );

  test.each(['https://a.com', 'a.com/x', 'a.com:80', '*.*.com', 'a..com', '-a.com', '', 'ä.com'])(
    'host %s is a 400',
    (host) => {
      const networking = { type: 'limited', allowed_hosts: [host] };
      expect(() => create(cloud({ networking }))).toThrow(
        /^config\.networking\.allowed_hosts\.0: /,
      );
    },
  );

  test('packages under limited need their switch', () => {
    const packages = { pip: ['numpy'] };
    expect(() => create(cloud({ networking: { type: 'limited' }, packages }))).toThrow(
      /^config\.packages: /,
    );
    const networking = { type: 'limited', allow_package_managers: true };
    expect(() => create(cloud({ networking, packages }))).not.toThrow();
  });

  test('scope account is a 400', () => {
    expect(() => create({ scope: 'account' })).toThrow('scope: expected "organization"');
    expect(create({ scope: 'organization' }).scope).toBe('organization');
  });
});

describe('update', () => {
  const stored = create({
    description: 'd',
    metadata: { a: '1', b: '2' },
    ...cloud({
      networking: { type: 'limited', allow_package_managers: true },
      packages: { pip: ['numpy'] },
    }),
  });

  test('what is left out or null stays', () => {
    for (const request of [{}, { config: null, name: null }, cloud(), cloud({ packages: {} })]) {
      expect(update(stored, request)).toEqual(stored);
    }
  });

  test('parts of the config change alone', () => {
    const next = update(
      stored,
      cloud({ networking: { type: 'limited', allowed_hosts: ['a.com'] } }),
    );
    expect(next.config).toMatchObject({
      networking: { ...LIMITED, allow_package_managers: true, allowed_hosts: ['a.com'] },
      packages: { ...NONE, pip: ['numpy'] },
    });
  });

  test('going back to limited starts from its defaults', () => {
    const open = update(
      stored,
      cloud({ networking: { type: 'unrestricted' }, packages: { pip: [] } }),
    );
    const next = update(open, cloud({ networking: { type: 'limited' } }));
    expect(next.config).toMatchObject({ networking: LIMITED });
  });

  test('an empty description is kept as empty, null clears', () => {
    expect(update(stored, { description: '' }).description).toBe('');
    expect(update(stored, { description: null }).description).toBeNull();
  });

  test('null and the empty text delete a metadata key', () => {
    expect(update(stored, { metadata: { a: '', b: null, c: '3' } }).metadata).toEqual({ c: '3' });
  });

  test('the type cannot change', () => {
    let thrown: unknown;
    try {
      update(stored, { config: { type: 'self_hosted' } });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ApiError);
    expect((thrown as ApiError).details).toEqual({ error_code: 'invalid_config_type_change' });
  });
});
