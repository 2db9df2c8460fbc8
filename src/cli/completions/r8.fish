# Completions of r8 for fish: source this file, or write it to ~/.config/fish/completions/r8.fish.
function __r8_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    $words[1] __complete fish $words "$current" 2>/dev/null
end
complete --command r8 --no-files --keep-order --arguments '(__r8_complete)'
