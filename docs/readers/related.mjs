// Prints the related items of one item, id and score, best first:
// node related.mjs SHOP ITEM [PLACEMENT [PORT OR SOCKET]]
// Fails where no layer has a list. Hidden items are not left out; see ../redis-contract.md.
import { escaped, mget } from "./mget.mjs";

const [shop, item, placement = "related", address = "6379"] = process.argv.slice(2);
const [live] = await mget(address, [`rec:{${shop}}:live`]);
const keys = JSON.parse(live).layers.map((layer) => `rec:${shop}:${layer}:${placement}:${escaped(item)}`);
const [own, ids, , codes] = (await mget(address, keys)).find((list) => list !== null).split("\n");
if (own !== item) throw new Error(`asked for ${item}, got ${own}`);
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const level = (row) => 64 * digits.indexOf(codes[2 * row]) + digits.indexOf(codes[2 * row + 1]);
const show = (id, row) => console.log(`${id}\t${(level(row) + 1) / 4096}`);
if (ids) ids.split("\t").forEach(show);
