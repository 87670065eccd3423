// Node's own fetch.
import './proxied.mjs';

const ask = {
  model: 'tiny', messages: [{ role: 'user', content: 'Tell me about lists.' }], max_tokens: 40, seed: 7,
};
const post = (body) => fetch(process.env.API + '/v1/chat/completions', {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test' },
  body: JSON.stringify(body),
});
const plain = await (await post(ask)).text();
const text = await (await post({ ...ask, stream: true })).text();
if (!text.endsWith('data: [DONE]\n\n')) throw new Error(text);
console.log(JSON.stringify({ plain, streamed: text.split('\n') }));
