#!/bin/sh
# Prints the record of one item, and in a second line what changed of it since the build, both JSON:
# sh record.sh SHOP ITEM. REDIS_OPTIONS are options of redis-cli, such as "-h host --user reader".
# Fails where no layer has a record. See ../redis-contract.md.
set -eu && shop="$1" item="$2" LC_ALL=C
escaped=$(printf %s "$item" | sed 's/%/%25/g; s/{/%7B/g; s/}/%7D/g')
layers=$(redis-cli ${REDIS_OPTIONS:-} --raw GET "rec:{$shop}:live" |
    sed 's/"canary": *{[^}]*}//; s/.*"layers": *\[\([^]]*\)\].*/\1/; s/,/ /g')
set -- && for layer in $layers; do set -- "$@" "rec:$shop:$layer:@:$escaped"; done
redis-cli ${REDIS_OPTIONS:-} --raw MGET "$@" | awk '$0 != "" { found = 1; print; exit } END { exit !found }'
redis-cli ${REDIS_OPTIONS:-} --raw GET "rec:$shop:@:$escaped"
