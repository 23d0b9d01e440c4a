import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { Port } from '../protocol/port';

export type ViewName = 'influence' | 'data';

/** Points a webview at our one script and stylesheet, and locks everything else out. */
export function openPage(webview: vscode.Webview, extensionUri: vscode.Uri, view: ViewName): void {
  const folder = vscode.Uri.joinPath(extensionUri, 'dist', 'webview');
  webview.options = { enableScripts: true, localResourceRoots: [folder] };
  const resource = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString();
  const nonce = randomBytes(16).toString('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    // The widget toolkit writes style elements of its own, with the nonce that it finds in the page.
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data: blob:`,
  ].join('; ');
  webview.html = `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta property="csp-nonce" content="${nonce}">
  <link rel="stylesheet" href="${resource('main.css')}">
  <title>Whence</title>
</head>
<body data-view="${view}">
  <script type="module" nonce="${nonce}" src="${resource('main.js')}"></script>
</body>
</html>`;
}

/** A webview as a `Port`; it closes when the view that holds it is disposed. */
export function webviewPort(holder: {
  readonly webview: vscode.Webview;
  readonly onDidDispose: vscode.Event<void>;
}): Port {
  return {
    post: (message) => void holder.webview.postMessage(message),
    onMessage(listener) {
      const subscription = holder.webview.onDidReceiveMessage(listener);
      return () => subscription.dispose();
    },
    onClose(listener) {
      const subscription = holder.onDidDispose(() => listener('the view was closed.'));
      return () => subscription.dispose();
    },
  };
}
