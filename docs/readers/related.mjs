// Prints the related items of one item, id and score, best first:
// node related.mjs SHOP ITEM [PLACEMENT [PORT OR SOCKET]]
// Fails where no layer has a list. Hidden items are not left out; see ../redis-contract.md.
import { connect } from "node:net";

const [shop, item, placement = "related", address = "6379"] = process.argv.slice(2);
const [live] = await mget([`rec:{${shop}}:live`]);
const escaped = item.replace(/[%{}]/g, encodeURIComponent);
const keys = JSON.parse(live).layers.map((layer) => `rec:${shop}:${layer}:${placement}:${escaped}`);
const [own, ids, , codes] = (await mget(keys)).find((list) => list !== null).split("\n");
if (own !== item) throw new Error(`asked for ${item}, got ${own}`);
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const level = (row) => 64 * digits.indexOf(codes[2 * row]) + digits.indexOf(codes[2 * row + 1]);
const show = (id, row) => console.log(`${id}\t${(level(row) + 1) / 4096}`);
if (ids) ids.split("\t").forEach(show);

/** Ask Redis without a package; a shop that has a client (npm: redis) uses that instead. */
async function mget(keys) {
  const sized = (word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
  const socket = connect(address);
  socket.write(`*${keys.length + 1}\r\n${["MGET", ...keys].map(sized).join("")}QUIT\r\n`);
  const chunks = [];
  for await (const chunk of socket) chunks.push(chunk);
  let rest = Buffer.concat(chunks);
  const line = () => {
    const end = rest.indexOf("\r\n");
    const shown = rest.toString("utf8", 0, end);
    rest = rest.subarray(end + 2);
    return shown;
  };
  const count = line();
  if (count !== `*${keys.length}`) throw new Error(count);
  return keys.map(() => {
    const size = Number(line().slice(1));
    if (size < 0) return null;
    const value = rest.toString("utf8", 0, size);
    rest = rest.subarray(size + 2);
    return value;
  });
}
