// node nodemailer.mjs FOLDER PORT MAILS CONNECTIONS SIZE [CA NAME]: mails a second. FOLDER is where
// `npm install nodemailer` was run. With the file of a CA and a server's name over TLS, signed in.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, ...rest] = process.argv.slice(2);
const [port, mails, connections, size] = rest.map(Number);
const [ca, servername] = rest.slice(4);
const nodemailer = createRequire(pathToFileURL(`${folder}/`))('nodemailer');

const pool = nodemailer.createTransport({
  pool: true, host: '127.0.0.1', port, maxConnections: connections, maxMessages: Infinity,
  ...(ca
    ? { secure: true, tls: { ca: readFileSync(ca), servername }, auth: { user: 'relay', pass: 'secret' } }
    : { secure: false, ignoreTLS: true }),
});
// Ready bytes, as with the other peer: only the sending is compared.
const line = 'A line of a mail, as long as most of them are in mails like this.\r\n';
const head = 'From: Ada <ada@sender.test>\r\nTo: p@example.com\r\nSubject: Hello\r\nMessage-ID: <1@sender.test>\r\n\r\n';
const raw = Buffer.from(head + line.repeat(Math.ceil((size - head.length) / line.length)));
const envelope = { from: 'ada@sender.test', to: ['p@example.com'] };

const send = async (n) => {
  let left = n;
  const lane = async () => { while (left-- > 0) await pool.sendMail({ envelope, raw }); };
  await Promise.all(Array.from({ length: connections * 4 }, lane));
};
await send(connections * 50);
const start = process.hrtime.bigint();
await send(mails);
console.log(mails / (Number(process.hrtime.bigint() - start) / 1e9));
pool.close();
