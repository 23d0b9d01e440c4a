// Runs inside the extension host, against the installed package.
const assert = require('node:assert/strict');
const vscode = require('vscode');

exports.run = async () => {
  const extension = vscode.extensions.getExtension('whence.whence');
  assert.ok(extension, 'the package is installed');
  await extension.activate();
  const contributed = extension.packageJSON.contributes.commands.map(({ command }) => command).sort();
  const registered = (await vscode.commands.getCommands(true))
    .filter((name) => /^whence\.[a-zA-Z]+$/.test(name))
    .sort();
  assert.deepEqual(registered, contributed);
  for (const { title } of extension.packageJSON.contributes.commands) assert.doesNotMatch(title, /^%/);
};
