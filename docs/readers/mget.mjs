/** Ask Redis without a package; a shop that has a client (npm: redis) uses that instead. */
import { connect } from "node:net";

export async function mget(address, keys) {
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

/** An item id as it stands in a key. */
export const escaped = (item) => item.replace(/[%{}]/g, encodeURIComponent);
