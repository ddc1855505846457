# Completion of netlabctl for bash.

_netlabctl() {
    local i word rest=$COMP_LINE current prefix kind lines words=()
    # bash takes : and = for the end of a word; netlabctl is given the words as they were typed.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == 0)) || [[ -z $word || $rest == [[:blank:]]* ]]; then
            words+=("")
        fi
        rest=${rest#"${rest%%[![:blank:]]*}"}
        words[${#words[@]} - 1]+=$word
        rest=${rest#"$word"}
    done
    # What stands right of the cursor is not asked about.
    i=$((COMP_POINT - ${#COMP_LINE} + ${#rest}))
    current=${words[${#words[@]} - 1]}
    if ((i < 0)); then
        current=${current:0:${#current}+i}
        words[${#words[@]} - 1]=$current
    fi
    # And only what follows the last of these is to be answered.
    prefix=
    if [[ $current == *"$2" ]]; then
        prefix=${current%"$2"}
    fi
    mapfile -t lines < <(NETLABCTL_COMPLETE=bash netlabctl -- "${words[@]}" 2>/dev/null)
    kind=${lines[0]-}
    lines=("${lines[@]:1}")
    COMPREPLY=("${lines[@]#"$prefix"}")
    if [[ $kind == files ]]; then
        if ((${#COMPREPLY[@]} == 0)); then
            compopt -o default
        else
            compopt -o filenames
            mapfile -t lines < <(compgen -f -- "$2")
            COMPREPLY+=("${lines[@]}")
        fi
    elif ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[:,=/] ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F _netlabctl netlabctl
