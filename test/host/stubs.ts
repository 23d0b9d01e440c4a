import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Does nothing when the parent disappears: tests end the host themselves. */
const watchdog = `exports.start = () => undefined;
exports.exit = (code) => process.exit(code ?? 0);
`;

/** Appends to the log file at once, so that a killed host leaves its last words. */
const logger = `const { appendFileSync, mkdirSync } = require('node:fs');
const { dirname } = require('node:path');
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
let shared = 2;
class Logger {
  constructor(_kind, name, file) {
    this.name = name;
    this.file = file;
    this.threshold = shared;
    this.plain = false;
    mkdirSync(dirname(file), { recursive: true });
  }
  getLevel() { return this.threshold; }
  setLevel(level) { this.threshold = level; }
  setPattern() {}
  clearFormatters() { this.plain = true; }
  flush() {}
  drop() {}
}
levels.forEach((level, rank) => {
  Logger.prototype[level] = function (text) {
    if (rank < this.threshold) return;
    const line = this.plain ? String(text) : new Date().toISOString() + ' ' + level + ' ' + this.name + ': ' + text + '\\n';
    try { appendFileSync(this.file, line); } catch { /* the folder went away with its test */ }
  };
});
const create = async (name, file) => new Logger('rotating', name, file);
// Assigned one by one: the host imports them by name, and only so does Node find the names in a CommonJS module.
exports.version = 0;
exports.Logger = Logger;
exports.createRotatingLogger = create;
exports.createAsyncRotatingLogger = create;
exports.setLevel = (level) => { shared = level; };
exports.setFlushOn = () => undefined;
`;

/** Stands in for the two native modules of the host that have no prebuilt binary, so that nothing has to be compiled. */
export async function writeStubs(vscodeModules: string): Promise<void> {
  await writeFile(join(vscodeModules, '@vscode', 'native-watchdog', 'index.js'), watchdog);
  await writeFile(join(vscodeModules, '@vscode', 'spdlog', 'index.js'), logger);
}
