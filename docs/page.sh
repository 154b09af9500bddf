#!/bin/sh
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# Makes a page of docs/ one of the reference manual, on standard output: page.sh FILE.md
#
# gi-docgen takes the title from a line of its own that other readers of Markdown would show, and
# leads to pages by the names that they have there. What is outside of docs/ has no page. A line
# that is a link to an example, and nothing else, becomes the example.
set -eu

# What follows the SPDX lines of an example.
show_example() {
  case "$1" in
    *.py) echo '```python' ;;
    *.js) echo '```js' ;;
    *) echo '```c' ;;
  esac
  sed -e '/^#!\//d' -e '/SPDX-/d' "$1"
  echo '```'
}

sed -n 's/^# /Title: /p' "$1" | head -n 1
echo
sed -E -e 's/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g' -e 's/\]\(([a-z-]+)\.md([)#])/](\1.html\2/g' "$1" |
  while IFS= read -r line; do
    case "$line" in
      \[*\]\(examples/*\))
        name=${line##*\(}
        show_example "$(dirname "$1")/${name%\)}"
        ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
