// The Anthropic SDK of Node.
import './proxied.mjs';
import Anthropic from '@anthropic-ai/sdk';

const ask = { model: 'tiny', messages: [{ role: 'user', content: 'Tell me about lists.' }], max_tokens: 40 };
const client = new Anthropic({ baseURL: process.env.API, apiKey: 'sk-test', maxRetries: 0 });
const plain = await client.messages.create(ask);
const streamed = [];
for await (const event of await client.messages.create({ ...ask, stream: true })) streamed.push(event);
console.log(JSON.stringify({ plain, streamed }));
