#!/bin/sh
# Prints the related items of one item, id and score, best first: sh related.sh SHOP ITEM [PLACEMENT]
# REDIS_OPTIONS are options of redis-cli, such as "-h host --user reader" (password: REDISCLI_AUTH).
# Fails where no layer has a list. Hidden items are not left out; see ../redis-contract.md.
set -eu && export shop="$1" item="$2" placement="${3:-related}" LC_ALL=C
escaped=$(printf %s "$item" | sed 's/%/%25/g; s/{/%7B/g; s/}/%7D/g')
layers=$(redis-cli ${REDIS_OPTIONS:-} --raw GET "rec:{$shop}:live" |
    sed 's/"canary": *{[^}]*}//; s/.*"layers": *\[\([^]]*\)\].*/\1/; s/,/ /g')
set -- && for layer in $layers; do set -- "$@" "rec:$shop:$layer:$placement:$escaped"; done
redis-cli ${REDIS_OPTIONS:-} --raw MGET "$@" | awk -v digits='ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_' '
    n || $0 != "" { line[++n] = $0 } n == 4 { exit }
    function digit(place) { return index(digits, substr(line[4], place, 1)) - 1 }
    END { if (n < 4 || line[1] "" != ENVIRON["item"] "") exit 1; n = split(line[2], ids, "\t")
          for (i = 1; i <= n; i++) printf "%s\t%.12g\n", ids[i], (64 * digit(2*i - 1) + digit(2*i) + 1) / 4096 }'
