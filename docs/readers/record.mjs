// Prints the record of one item as JSON, with what changed of it since the build:
// node record.mjs SHOP ITEM [PORT OR SOCKET]
// Fails where no layer has a record. See ../redis-contract.md.
import { escaped, mget } from "./mget.mjs";

const [shop, item, address = "6379"] = process.argv.slice(2);
const [live] = await mget(address, [`rec:{${shop}}:live`]);
const layers = JSON.parse(live).layers.map((layer) => `rec:${shop}:${layer}:@:${escaped(item)}`);
const found = await mget(address, [...layers, `rec:${shop}:@:${escaped(item)}`]);
const change = JSON.parse(found.pop() ?? "{}");
const record = JSON.parse(found.find((one) => one !== null));
if (record.id !== item) throw new Error(`asked for ${item}, got ${record.id}`);
const { version, versions, ...changed } = change;
console.log(JSON.stringify({ ...record, ...changed }));
