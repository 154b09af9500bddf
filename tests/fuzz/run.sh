#!/bin/sh
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# Runs one fuzz target, or keeps what it has found; `tools/dev fuzz` builds first and calls this.
# Usage: run.sh BUILD-FOLDER SECONDS TARGET   looks for inputs that break something
#        run.sh BUILD-FOLDER keep TARGET      puts the inputs that reach most into corpus/TARGET
set -eu
build=$1
action=$2
target=$3
program=$build/tests/fuzz/fuzz-$target
corpus=$(dirname "$0")/corpus/$target
inputs=$build/inputs/$target
crashes=$build/crashes
log=$build/meson-logs/fuzz-$target.txt
largest_corpus=61440

# GLib's own allocator would hide what is lost and what is overrun.
export G_SLICE=always-malloc
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
mkdir -p "$inputs" "$crashes" "$corpus"

# What is in the way of a small corpus are the large inputs. crash-* and case-* are there to stay.
keep() {
  kept=$build/kept/$target
  rm -rf "$kept"
  mkdir -p "$kept"
  "$program" -set_cover_merge=1 -max_len=4096 "$kept" "$inputs" "$corpus" >"$log" 2>&1
  find "$corpus" -type f ! -name 'crash-*' ! -name 'case-*' -delete
  size=0
  for file in $(cd "$kept" && find . -type f -printf '%s %f\n' | sort -n | cut -d ' ' -f 2); do
    size=$((size + $(wc -c <"$kept/$file")))
    [ "$size" -gt "$largest_corpus" ] || cp "$kept/$file" "$corpus/$(echo "$file" | cut -c 1-16)"
  done
  echo "$target: $(find "$corpus" -type f | wc -l) inputs are kept"
}

look() {
  status=0
  "$program" -max_total_time="$action" -seed="${VT_FUZZ_SEED:-0}" -timeout=10 \
    -rss_limit_mb=2048 -max_len=4096 \
    -print_final_stats=1 -artifact_prefix="$crashes/$target-" "$inputs" "$corpus" \
    >"$log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    grep -vE '^#[0-9]+' "$log" | tail -n 80
    echo "FAIL $target. To replay it, save the input above (base64 -d), or take the file, and call:"
    echo "  $program FILE"
    exit 1
  fi
  echo "ok   $target: $(grep -E '^#[0-9]+.*(DONE|INITED)' "$log" | tail -n 1)"
}

if [ "$action" = keep ]; then
  keep
else
  look
fi
