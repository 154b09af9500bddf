#!/bin/sh
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# A library exports what its public headers declare, and nothing else.
# Usage: test-symbols.sh LIBRARY PREFIX MARK HEADER…, where MARK stands before each declaration.
set -eu
library=$1
prefix=$2
mark=$3
shift 3

exported=$(nm --dynamic --defined-only --format=posix "$library" | cut -d ' ' -f 1 | sort)
declared=$(
  {
    cat "$@" | tr '\n' ' ' | grep -oE "$mark [^;{]*\(" |
      grep -oE "${prefix}[a-z0-9_]+ \($" | tr -d ' ('
    cat "$@" | grep -oE 'G_DECLARE_FINAL_TYPE \([A-Za-z]+, [a-z_]+' | sed 's/.*, //; s/$/_get_type/'
  } | sort -u
)

[ -n "$exported" ] || { echo "no symbols in $library"; exit 1; }
if [ "$exported" != "$declared" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  printf '%s\n' "$exported" > "$scratch/exported"
  printf '%s\n' "$declared" > "$scratch/declared"
  diff -u "$scratch/declared" "$scratch/exported"
  exit 1
fi
