#!/bin/sh
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# Makes a page of docs/ one of the reference manual, on standard output: page.sh FILE.md
#
# gi-docgen takes the title from a line of its own that other readers of Markdown would show, and
# leads to pages by the names that they have there: those of docs/deploy/ stand beside the others,
# as deploy-FILE. What is outside of docs/ has no page. A line that is a link to an example or to a
# configuration, and nothing else, becomes what is there.
set -eu

# What follows the SPDX lines of an example.
show_example() {
  case "$1" in
    *.py) echo '```python' ;;
    *.js) echo '```js' ;;
    *.c) echo '```c' ;;
    *.yml | *.yaml) echo '```yaml' ;;
    */Containerfile) echo '```docker' ;;
    */nginx.conf) echo '```nginx' ;;
    */apache.conf) echo '```apache' ;;
    *) echo '```text' ;;
  esac
  sed -e '/^#!\//d' -e '/SPDX-/d' -e '3{/^#$/d;}' "$1"
  echo '```'
}

# Those of a page in docs/deploy/, and of all others.
case "$1" in
  */docs/deploy/*)
    links='s/\]\(([a-z-]+)\.md([)#])/](deploy-\1.html\2/g'
    links="$links"'; s/\]\(\.\.\/([a-z-]+)\.md([)#])/](\1.html\2/g'
    ;;
  *)
    links='s/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g; s/\]\(([a-z-]+)\.md([)#])/](\1.html\2/g'
    links="$links"'; s/\]\(deploy\/([a-z-]+)\.md([)#])/](deploy-\1.html\2/g'
    ;;
esac

sed -n 's/^# /Title: /p' "$1" | head -n 1
echo
sed -E -e "$links" "$1" |
  while IFS= read -r line; do
    name=${line##*\(}
    name=${name%\)}
    case "$line" in
      \[*\]\(examples/*\) | \[*\]\(*.conf\) | \[*\]\(*.cfg\) | \[*\]\(*.yml\) | \[*\]\(*.yaml\) | \
        \[*\]\(Caddyfile\) | \[*\]\(Containerfile\))
        show_example "$(dirname "$1")/$name"
        ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
