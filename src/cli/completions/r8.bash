# Completions of r8 for bash: source this file, or put it into a folder of bash-completion under the name r8.
_r8() {
    local program=${1/#\~/$HOME} candidate
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    # Bash breaks words at `=` and `:`; behind one, the word to complete is empty, and the sign goes with the others.
    if [[ -z $2 && ${COMP_WORDS[COMP_CWORD]} == [=:]* ]]; then
        words+=("${COMP_WORDS[COMP_CWORD]}")
    fi
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("$program" __complete bash "${words[@]}" "$2" 2>/dev/null)
    # Bash 3 has no compopt.
    if [[ ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    if [[ -e ${COMPREPLY[0]} ]]; then
        compopt -o filenames 2>/dev/null
    fi
}
complete -o nosort -F _r8 r8 2>/dev/null || complete -F _r8 r8
