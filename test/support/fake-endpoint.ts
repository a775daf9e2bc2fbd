/** A server that answers as OpenAI's chat completions do, and fails as they do when it is told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { role: string; content: string }[];
  readonly [key: string]: unknown;
}

/** What happens instead of an answer. */
export type Failure =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly error?: Record<string, unknown> }
  /** Sent as JSON, or as the type says. */
  | { readonly body: string; readonly type?: string }
  /** Nothing is sent, or nothing after the beginning of the body. */
  | 'hang'
  | 'hang in the body'
  /** The connection breaks in the middle of the body. */
  | 'break';

export class FakeEndpoint {
  /** Base URL. */
  url = '';
  /** All requests to chat completions, the oldest first. */
  readonly seen: { readonly body: ChatRequest; readonly headers: IncomingMessage['headers']; readonly at: number }[] =
    [];
  /** Text of the answer to a request. */
  answer: (request: ChatRequest) => string = () => 'Explanation: something';
  /** Failure for the request with a number, counted from 0. */
  fail: (index: number, request: ChatRequest) => Failure | undefined = () => undefined;
  #server: Server | undefined;

  static async start(): Promise<FakeEndpoint> {
    const endpoint = new FakeEndpoint();
    endpoint.#server = createServer((request, response) => void endpoint.#handle(request, response));
    await new Promise<void>((resolve) => endpoint.#server!.listen(0, '127.0.0.1', resolve));
    endpoint.url = `http://127.0.0.1:${(endpoint.#server.address() as AddressInfo).port}/v1`;
    onTestFinished(() => endpoint.stop());
    return endpoint;
  }

  /** Dies: connections break and no more are taken. */
  stop(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  /** Contents of the last messages, joined: what was asked. */
  get asked(): string[] {
    return this.seen.map(({ body }) => body.messages.map(({ content }) => content).join('\n'));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (request.url !== '/v1/chat/completions') {
      send(response, 404, 'text/html', '<h1>Not Found</h1>');
      return;
    }
    const body = JSON.parse(Buffer.concat(parts).toString()) as ChatRequest;
    const failure = this.fail(this.seen.length, body);
    this.seen.push({ body, headers: request.headers, at: performance.now() });
    if (failure === undefined) {
      send(response, 200, 'application/json', completion(this.answer(body)));
    } else if (typeof failure === 'string') {
      if (failure === 'hang') return;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"choices": [', () => failure === 'break' && setTimeout(() => response.destroy(), 10));
    } else if ('body' in failure) {
      send(response, 200, failure.type ?? 'application/json', failure.body);
    } else {
      const error = { message: `refused with ${failure.status}`, ...failure.error };
      send(response, failure.status, 'application/json', JSON.stringify({ error }), failure.headers);
    }
  }
}

function completion(content: string): string {
  const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
  return JSON.stringify({ id: 'x', object: 'chat.completion', created: 0, model: 'fake', choices });
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(body);
}
