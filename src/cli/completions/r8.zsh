#compdef r8
# Completions of r8 for zsh: source this file behind `compinit`, or put it into a folder of `fpath` under the name _r8.
_r8() {
    local value help
    local -a closed open
    while IFS=$'\t' read -r value help; do
        value=${${value//\\/\\\\}//:/\\:}${help:+:$help}
        if [[ ${value%%:*} == *[/=] ]]; then
            open+=("$value")
        else
            closed+=("$value")
        fi
    done < <("${(Q)words[1]/#\~/$HOME}" __complete zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#open )) && _describe -V 'r8' open -S ''
    (( $#closed )) && _describe -V 'r8' closed
}
if [[ $funcstack[1] == _r8 ]]; then
    _r8 "$@"
else
    compdef _r8 r8
fi
