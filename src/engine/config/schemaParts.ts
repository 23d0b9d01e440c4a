import * as z from 'zod/mini';
import { type ConfigPath, configKeys } from './configKeys';

/** A schema with its key's words on it, so that the JSON schema for editors says the same. */
export function keyed<T extends z.ZodMiniType>(key: ConfigPath, schema: T): T {
  const entry: { description: string; example: unknown; default?: unknown } = configKeys[key];
  const words = { description: entry.description, examples: [entry.example] };
  return schema.check(z.meta('default' in entry ? { ...words, default: entry.default } : words));
}

export function optional<T extends z.ZodMiniType>(key: ConfigPath, schema: T): z.ZodMiniExactOptional<T> {
  return z.exactOptional(keyed(key, schema));
}

export const path = () => z.string('must be a path in quotes').check(z.minLength(1, 'must not be empty'));
export const text = () => z.string('must be a text in quotes');
export const number = () => z.number('must be a number');
export const truth = () => z.boolean('must be true or false');
export const texts = (message: string) => z.array(text(), message).check(z.minLength(1, 'must not be empty'));
