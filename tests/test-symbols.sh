#!/bin/sh
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# A library exports what its public headers declare, and nothing else; and that is what stands in
# the list of symbols, so that a change of it is seen by whoever looks at a change.
# Usage: test-symbols.sh LIBRARY LIST PREFIX MARK HEADER…, where MARK stands before declarations.
set -eu
library=$1
list=$2
prefix=$3
mark=$4
shift 4

exported=$(nm --dynamic --defined-only --format=posix "$library" | cut -d ' ' -f 1 | LC_ALL=C sort)
declared=$(
  {
    cat "$@" | tr '\n' ' ' | grep -oE "$mark [^;{]*\(" |
      grep -oE "${prefix}[a-z0-9_]+ \($" | tr -d ' ('
    cat "$@" | grep -oE 'G_DECLARE_FINAL_TYPE \([A-Za-z]+, [a-z_]+' | sed 's/.*, //; s/$/_get_type/'
  } | LC_ALL=C sort -u
)

[ -n "$exported" ] || { echo "no symbols in $library"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '%s\n' "$exported" > "$scratch/exported"
printf '%s\n' "$declared" > "$scratch/declared"
status=0
diff -u "$scratch/declared" "$scratch/exported" || status=1
diff -u "$list" "$scratch/exported" || status=1
exit "$status"
