# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
#
# Completion for fish. What it offers is what the tool's own help says, in the user's language, so
# that it is never out of date; only what an option's value can be is known here.

function __vtunnel_tool_commands
    vtunnel-tool --help 2>/dev/null | string match -v '  vtunnel-tool*' |
        string replace -rf '^  ([a-z][a-z-]*) +(.*)$' '$1\t$2'
end

# A line for each option of a command, or of the tool itself, and for its short form.
function __vtunnel_tool_options
    vtunnel-tool $argv --help 2>/dev/null | while read -l line
        string replace -rf '^\s*(?:-., )?(--[a-z-]+)(?:=\S+)?\s+(.*)$' '$1\t$2' -- $line
    end
end

# Whether an option of a command takes a value: whether its help has a sign of equality.
function __vtunnel_tool_takes
    vtunnel-tool $argv[1] --help 2>/dev/null | string match -qr -- "^\s*(-., )?$argv[2]=" && return
    vtunnel-tool $argv[1] --help 2>/dev/null | string match -qr -- "^\s*$argv[2], --[a-z-]+="
end

# The names of the session service's tunnels; odd ones are left out, rather than quoted.
function __vtunnel_tool_names
    vtunnel-tool list --json --timeout 2 2>/dev/null |
        string replace -rf '^\{"id":"[^"]*","name":"([A-Za-z0-9._+@-]+)".*' '$1'
end

function __vtunnel_tool_values
    switch $argv[1]
        case --storage
            printf '%s\n' keyring memory file
        case --access -a '--*-file' -t '--*-ca' '--*-certificate' '--*-key'
            __fish_complete_path $argv[2]
    end
end

function __vtunnel_tool_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l command
    set -l operand
    set -l pending

    for word in $words[2..]
        if set -q pending[1]
            set pending
        else if not set -q command[1]; and not string match -q -- '-*' $word
            set command $word
        else if string match -q -- '-*' $word
            if set -q command[1]; and __vtunnel_tool_takes $command $word
                set pending $word
            end
        else
            set operand $word
        end
    end

    if set -q pending[1]
        __vtunnel_tool_values $pending $current
    else if string match -q -- '-*' $current
        __vtunnel_tool_options $command
    else if not set -q command[1]
        __vtunnel_tool_commands
    else if not set -q operand[1]; and contains $command show open close remove set-token monitor
        __vtunnel_tool_names
    end
end

complete -c vtunnel-tool -f -a '(__vtunnel_tool_complete)'
