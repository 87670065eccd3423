// Node 20's fetch minds no proxy variable by itself.
import { EnvHttpProxyAgent, setGlobalDispatcher } from 'undici';

if (process.env.HTTPS_PROXY) setGlobalDispatcher(new EnvHttpProxyAgent());
