// Vercel's AI SDK.
import './proxied.mjs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';

const provider = createOpenAICompatible({ name: 'gateway', baseURL: process.env.API + '/v1', apiKey: 'sk-test' });
const ask = {
  model: provider('tiny'), prompt: 'Tell me about lists.', maxOutputTokens: 40, seed: 7, maxRetries: 0,
};
const plain = await generateText(ask);
const pieces = [];
for await (const piece of streamText(ask).textStream) pieces.push(piece);
console.log(JSON.stringify({ plain: [plain.text, plain.response.id], streamed: pieces }));
