#!/bin/sh
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# Makes a page of docs/ one of the reference manual, on standard output: page.sh FILE.md
#
# gi-docgen takes the title from a line of its own that other readers of Markdown would show, and
# leads to pages by the names that they have there. What is outside of docs/ has no page.
set -eu
sed -n 's/^# /Title: /p' "$1" | head -n 1
echo
sed -E -e 's/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g' -e 's/\]\(([a-z]+)\.md([)#])/](\1.html\2/g' "$1"
