import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  type Disposable,
  Message,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/browser.js';
import { toErrorData, WhenceError } from './errors';
import type { Port } from './port';

/** JSON-RPC leaves -32000 to -32099 to applications; our own codes travel in the error's data. */
export const applicationError = -32000;

/** vscode-jsonrpc's reading side on a `Port`. What is no JSON-RPC message is not ours: a window gets others too. */
export class PortReader extends AbstractMessageReader implements MessageReader {
  private stopListening: (() => void) | undefined;
  private callback: DataCallback | undefined;

  constructor(private readonly port: Port) {
    super();
  }

  listen(callback: DataCallback): Disposable {
    this.callback = callback;
    this.stopListening = this.port.onMessage((message) => {
      if (isRpcMessage(message)) callback(message);
    });
    return { dispose: () => this.stopListening?.() };
  }

  /** Hands a message made on this side to the connection, as if it had come from the other. */
  receive(message: Message): void {
    this.callback?.(message);
  }

  override dispose(): void {
    this.stopListening?.();
    this.callback = undefined;
    super.dispose();
  }
}

/**
 * The writing side. `write` never rejects: a request that cannot be sent is answered here with an error, and in place of a
 * result that cannot be sent its caller gets an error, so that nobody waits for what never comes.
 */
export class PortWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(
    private readonly port: Port,
    private readonly reader: PortReader,
  ) {
    super();
  }

  async write(message: Message): Promise<void> {
    try {
      this.port.post(message);
    } catch (error) {
      this.refuse(message, error);
    }
  }

  private refuse(message: Message, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const data = toErrorData(new WhenceError('internal', `A message could not be sent: ${reason}`));
    const error = { code: applicationError, message: data.message, data };
    if (Message.isRequest(message)) this.reader.receive(rpcMessage({ id: message.id, error }));
    else if (Message.isResponse(message)) this.port.post(rpcMessage({ id: message.id, error }));
    else this.fireError(cause, message);
  }

  end(): void {
    // The port belongs to whoever made it.
  }
}

function rpcMessage<T extends object>(content: T): T & Message {
  return { jsonrpc: '2.0', ...content };
}

function isRpcMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'jsonrpc' in value && value.jsonrpc === '2.0';
}
