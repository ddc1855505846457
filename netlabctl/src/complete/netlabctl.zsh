#compdef netlabctl
# Completion of netlabctl for zsh.

_netlabctl() {
    local -a lines
    local kind ret=1
    lines=("${(@f)$(NETLABCTL_COMPLETE=zsh netlabctl -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$lines[1]
    lines=("${(@)lines[2,-1]:#}")
    if (( $#lines )); then
        _describe -V 'value' lines && ret=0
    fi
    if [[ $kind == files ]]; then
        _files && ret=0
    fi
    return ret
}

# Found in a folder of completions, this file is the function itself.
if [[ ${funcstack[1]-} == _netlabctl ]]; then
    _netlabctl "$@"
else
    compdef _netlabctl netlabctl
fi
