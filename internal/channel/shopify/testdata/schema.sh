#!/usr/bin/env bash
# Fetches Shopify's Admin API schema, which the tests validate every request against, and prints where it is. It comes out of
# an npm package of Shopify's that is 14 MB and depends on 300 others, so only the package itself is fetched and one file kept.
# Tests find it by STOCKBRIDGE_SHOPIFY_SCHEMA, or in the user's cache directory, which is where it goes without an argument.
set -euo pipefail
file=admin_2026-10.json.gz
sum=a1b5737c15c47393607ffeda77f0651b4663ff51b97a2fa5f4cdfa1e74f2f60dd80b8f669f7b4f73311dc88f20678cbf962ecdb58b83f8402f9a37501a295be1
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/stockbridge}
if ! sha512sum --check --status <<<"$sum  $dir/$file" 2>/dev/null; then
  mkdir -p "$dir"
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  npm pack --silent --pack-destination "$tmp" @shopify/dev-mcp@1.16.0 >/dev/null
  tar -xzf "$tmp"/shopify-dev-mcp-1.16.0.tgz -C "$tmp" --strip-components=3 "package/dist/data/$file"
  sha512sum --check --status <<<"$sum  $tmp/$file"
  mv "$tmp/$file" "$dir/$file"
fi
printf '%s\n' "$dir/$file"
