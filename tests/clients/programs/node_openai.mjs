// The openai SDK of Node.
import './proxied.mjs';
import OpenAI from 'openai';

const ask = {
  model: 'tiny', messages: [{ role: 'user', content: 'Tell me about lists.' }], max_tokens: 40, seed: 7,
};
const client = new OpenAI({ baseURL: process.env.API + '/v1', apiKey: 'sk-test', maxRetries: 0 });
const plain = await client.chat.completions.create(ask);
const streamed = [];
for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) streamed.push(chunk);
console.log(JSON.stringify({ plain, streamed }));
