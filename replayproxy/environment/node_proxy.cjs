// Makes Node obey HTTP_PROXY, HTTPS_PROXY and NO_PROXY:
// NODE_OPTIONS="--require /path/to/node_proxy.cjs".
//
// Node before 24 knows none of them. Since then it does if NODE_USE_ENV_PROXY says so, but
// only for its own default agents: the ones that an SDK makes for itself go out directly.
//
// Rule: it changes how connections begin, and nothing after that. Every request goes
// through a tunnel (CONNECT), so that an app's own agents, headers and TLS settings
// stay what they are. It needs no package, and a fault of it must not keep an app from
// starting.
'use strict';

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');

const DEFAULT_PORTS = { 'http:': 80, 'https:': 443 };

const variable = (name) => process.env[name.toLowerCase()] || process.env[name.toUpperCase()] || '';

function proxyOf(protocol, host, port) {
  const named = variable(protocol === 'https:' ? 'https_proxy' : 'http_proxy');
  return named && !isExempt(host, port) ? new URL(named) : null;
}

function isExempt(host, port) {
  return variable('no_proxy').toLowerCase().split(/[\s,]+/).filter(Boolean).some((entry) => {
    if (entry === '*') return true;
    const [, name, onPort] = /^(.*?)(?::(\d+))?$/.exec(entry);
    if (onPort && Number(onPort) !== port) return false;
    const suffix = name.replace(/^\*?\.?/, '');
    return host.toLowerCase() === suffix || host.toLowerCase().endsWith('.' + suffix);
  });
}

// A socket that leads to host:port; `done` is called once with an error or with it.
function openTunnel(proxy, host, port, done) {
  const socket = net.connect({ host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port) || 80 });
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  let answer = Buffer.alloc(0);
  const end = (error) => {
    socket.removeListener('readable', read);
    socket.removeListener('error', end);
    socket.removeListener('end', hungUp);
    if (error) socket.destroy();
    done(error, error ? undefined : socket);
  };
  const hungUp = () => end(new Error(`the proxy ${proxy.host} hung up`));
  const read = () => {
    for (let piece; (piece = socket.read()) !== null; ) {
      answer = Buffer.concat([answer, piece]);
      const at = answer.indexOf('\r\n\r\n');
      if (at < 0) continue;
      const status = answer.toString('latin1', 0, answer.indexOf('\r\n'));
      if (!/^HTTP\/1\.[01] 2/.test(status)) {
        end(new Error(`the proxy ${proxy.host} opened no tunnel to ${authority}: ${status}`));
        return;
      }
      if (answer.length > at + 4) socket.unshift(answer.subarray(at + 4));
      end(null);
      return;
    }
  };
  socket.on('readable', read);
  socket.on('error', end);
  socket.on('end', hungUp);
  const login = proxy.username
    ? `Proxy-Authorization: Basic ${Buffer.from(decodeURIComponent(`${proxy.username}:${proxy.password}`)).toString('base64')}\r\n`
    : '';
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`);
}

// node:http and node:https, whatever agent is used: all that is built on them.
function throughProxy(Agent, protocol, secure) {
  const direct = Agent.prototype.createConnection;
  Agent.prototype.createConnection = function (options, created) {
    const host = options.host || 'localhost';
    const port = Number(options.port) || DEFAULT_PORTS[protocol];
    const mine = !options.socketPath && typeof created === 'function' && !this.options.proxyEnv;
    const proxy = mine ? proxyOf(protocol, host, port) : null;
    if (!proxy) return direct.apply(this, arguments);
    openTunnel(proxy, host, port, (error, socket) => {
      if (error) created(error);
      else created(null, secure ? secure.call(this, { ...options, socket }) : socket);
    });
  };
}

function install() {
  const secureConnection = https.Agent.prototype.createConnection;
  throughProxy(http.Agent, 'http:', null);
  // Node's own takes a socket that is there, too; and resumes sessions as ever
  throughProxy(https.Agent, 'https:', secureConnection);
  installForFetch();
}

// fetch is undici inside Node; its dispatcher is reached by a symbol that npm's undici shares.
function installForFetch() {
  const key = Symbol.for('undici.globalDispatcher.1');
  void globalThis.Headers; // loads it
  const dispatcher = globalThis[key];
  if (!dispatcher || dispatcher.constructor.name === 'EnvHttpProxyAgent') return;
  const Agent = dispatcher.constructor;
  globalThis[key] = new Agent({
    connect(options, connected) {
      const host = options.hostname.replace(/^\[|\]$/g, '');
      const port = Number(options.port) || DEFAULT_PORTS[options.protocol];
      const proxy = proxyOf(options.protocol, host, port);
      const secured = (socket) => {
        const servername = options.servername || (net.isIP(host) ? undefined : host);
        const within = tls.connect({ ...(socket ? { socket } : { host, port }), servername, ALPNProtocols: ['http/1.1'] });
        within.once('secureConnect', () => settle(within)).once('error', fail);
      };
      const fail = (error) => connected(error, null);
      const settle = (socket) => {
        socket.removeListener('error', fail);
        socket.setNoDelay(true);
        connected(null, socket);
      };
      const isSecure = options.protocol === 'https:';
      if (proxy) {
        openTunnel(proxy, host, port, (error, socket) => {
          if (error) fail(error);
          else if (isSecure) secured(socket);
          else settle(socket);
        });
      } else if (isSecure) {
        secured(null);
      } else {
        const socket = net.connect({ host, port });
        socket.once('connect', () => settle(socket)).once('error', fail);
      }
    },
  });
}

try {
  install();
} catch (error) {
  process.emitWarning(`replayproxy: proxy variables are not obeyed: ${error.message}`);
}
