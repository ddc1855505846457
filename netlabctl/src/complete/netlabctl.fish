# Completion of netlabctl for fish.

function __netlabctl_complete
    set --local current (commandline --cut-at-cursor --current-token)
    set --local before (commandline --cut-at-cursor --current-process --tokenize)
    set --local lines (NETLABCTL_COMPLETE=fish netlabctl -- $before "$current" 2>/dev/null)
    if test "$lines[1]" = files
        __fish_complete_path "$current"
    end
    if set --query lines[2]
        printf '%s\n' $lines[2..-1]
    end
end

complete --command netlabctl --no-files --keep-order --arguments '(__netlabctl_complete)'
